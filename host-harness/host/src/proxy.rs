//! What VMs of one proxy process share: data and metrics.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::Status;

/// One proxy process. Clones are the same process.
#[derive(Clone, Default)]
pub struct Proxy(Arc<Mutex<Shared>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// As the guest named it; Envoy prints it below `wasmcustom.`.
    pub name: String,
    pub kind: MetricKind,
    /// A histogram's last recorded value.
    pub value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Default)]
struct Shared {
    data: HashMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    data_fails: bool,
    last_cas: u32,
    metrics: BTreeMap<(String, MetricKind), u64>,
}

impl Proxy {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn metrics(&self) -> Vec<Metric> {
        self.lock()
            .metrics
            .iter()
            .map(|((name, kind), value)| Metric {
                name: name.clone(),
                kind: *kind,
                value: *value,
            })
            .collect()
    }

    pub fn shared_data(&self, vm_id: &str, key: &str) -> Option<Vec<u8>> {
        let (value, _) = self.get_data(vm_id, key.as_bytes()).ok()?;
        Some(value)
    }

    /// How many shared values there are, and the bytes of them and of their keys.
    pub fn shared_data_size(&self) -> (usize, usize) {
        let shared = self.lock();
        let bytes = shared.data.iter().map(|((vm_id, key), (value, _))| {
            let names = vm_id.len().saturating_add(key.len());
            names.saturating_add(value.len())
        });
        (shared.data.len(), bytes.sum())
    }

    /// From now on every question about shared data is answered with InternalFailure (10), or no more.
    pub fn fail_shared_data(&self, fails: bool) {
        self.lock().data_fails = fails;
    }

    /// Somebody writes this over every shared value there is.
    pub fn fill_shared_data(&self, value: &[u8]) {
        let mut shared = self.lock();
        let cas = shared.next_cas();
        for entry in shared.data.values_mut() {
            *entry = (value.to_vec(), cas);
        }
    }

    pub(crate) fn get_data(&self, vm_id: &str, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        let shared = self.lock();
        if shared.data_fails {
            return Err(Status::InternalFailure);
        }
        let found = shared.data.get(&(vm_id.to_owned(), key.to_vec()));
        found.cloned().ok_or(Status::NotFound)
    }

    /// As `SharedData::set`: a compare-and-swap value is ignored where the key is absent.
    pub(crate) fn set_data(
        &self,
        vm_id: &str,
        key: Vec<u8>,
        value: Vec<u8>,
        cas: u32,
    ) -> Result<(), Status> {
        let mut shared = self.lock();
        if shared.data_fails {
            return Err(Status::InternalFailure);
        }
        let key = (vm_id.to_owned(), key);
        if cas != 0
            && let Some((_, current)) = shared.data.get(&key)
            && *current != cas
        {
            return Err(Status::CasMismatch);
        }
        let cas = shared.next_cas();
        shared.data.insert(key, (value, cas));
        Ok(())
    }

    pub(crate) fn with_metric<R>(
        &self,
        name: &str,
        kind: MetricKind,
        change: impl FnOnce(&mut u64) -> R,
    ) -> R {
        let mut shared = self.lock();
        change(shared.metrics.entry((name.to_owned(), kind)).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Each change is one insertion, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// `SharedData::nextCas`: zero means "no check", so it is never handed out.
    fn next_cas(&mut self) -> u32 {
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        self.last_cas
    }
}
