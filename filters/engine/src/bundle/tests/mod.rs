//! Bundles as cases: how each is made, and what is said of it.

mod archives;
mod build;
mod contents;
mod digests;
mod mutations;
mod python;
mod signatures;

mod live;
