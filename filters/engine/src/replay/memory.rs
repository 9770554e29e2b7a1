//! Cells in the memory of one gate: for a gate that no workers share.

use super::table::{CellFault, Cells, Written};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[derive(Default)]
pub struct Memory(Mutex<HashMap<String, (Vec<u8>, u32)>>);

impl Memory {
    fn cells(&self) -> MutexGuard<'_, HashMap<String, (Vec<u8>, u32)>> {
        // Each change is one insertion: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many cells there are, and the bytes of their names and contents.
    #[cfg(test)]
    pub fn size(&self) -> (usize, usize) {
        let cells = self.cells();
        let bytes = cells
            .iter()
            .map(|(key, (value, _))| key.len().saturating_add(value.len()));
        (cells.len(), bytes.sum())
    }
}

impl Cells for Memory {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, CellFault> {
        Ok(self.cells().get(key).cloned())
    }

    fn write(&self, key: &str, value: &[u8], seen: Option<u32>) -> Result<Written, CellFault> {
        let mut cells = self.cells();
        let there = cells.get(key).map(|(_, version)| *version);
        if there != seen {
            return Ok(Written::Changed);
        }
        let version = there.unwrap_or(0).wrapping_add(1);
        cells.insert(key.to_owned(), (value.to_vec(), version));
        Ok(Written::Done)
    }
}
