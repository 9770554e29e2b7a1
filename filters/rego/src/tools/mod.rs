//! What helps those who write policies. A gate has none of it.

mod cases;
pub mod coverage;
mod find;
mod heads;
mod imports;
pub mod tests;
