//! Bundles as cases: how each is made, and what is said of it.

mod archives;
mod build;
mod data;
mod deltas;
mod digests;
mod manifests;
mod mutations;
mod others;
mod signatures;
mod signed_files;
mod units;

mod live;
