//! Bundles as cases.
