//! What is good once, in the proxy's shared data: all workers see it, and so does whoever else runs in
//! the same VM namespace (Istio gives every plugin the same). It is asked of as it is needed, and
//! nothing of it is kept here.

use crate::host;
use portcullis_engine::{
    replay::{
        CellFault, Cells, Claim, Denied, Fills, Kind, ReplayStore, Table, Why, Written, instance,
    },
    words::REPLAY,
};

/// The store of one plugin, by the names that the proxy's configuration gives it. What else stands in
/// a configuration may change, and what was taken stays so.
pub struct SharedStore {
    instance: String,
    fills: Fills,
}

impl SharedStore {
    /// Of the plugin that is being configured.
    pub fn of_plugin() -> SharedStore {
        let name = |of| host::property(&[of]).unwrap_or_default();
        let (root, plugin) = (name("plugin_root_id"), name("plugin_name"));
        SharedStore {
            instance: instance(&[&root, &plugin]),
            fills: Fills::default(),
        }
    }

    fn table(&self, gate: u8) -> Table<SharedData> {
        let prefix = format!("{REPLAY}/{}/{gate}", self.instance);
        Table::new(prefix, SharedData).noting(&self.fills)
    }
}

impl ReplayStore for SharedStore {
    fn claim(&self, claims: &[Claim], now_ns: u64) -> Result<(), Denied> {
        let gate = match claims.first() {
            None => return Ok(()),
            Some(claim) => enter().map_err(|host::Refused| Denied {
                kind: claim.kind(),
                why: Why::Failed,
            })?,
        };
        self.table(gate).claim(claims, now_ns)
    }

    fn take_fills(&self) -> Vec<(Kind, u64)> {
        self.fills.take()
    }

    fn since_ns(&self, now_ns: u64) -> Option<u64> {
        self.table(0).since_ns(now_ns)
    }
}

/// How many gates of the same name have claimed something of this stream before. Two in one chain see
/// the same request, and what the first has taken is no replay to the second.
fn enter() -> Result<u8, host::Refused> {
    let before = match host::property(&[REPLAY]).as_deref() {
        None => 0,
        Some([before]) => *before,
        Some(_) => return Err(host::Refused),
    };
    let now = before.checked_add(1).ok_or(host::Refused)?;
    host::set_property(REPLAY, &[now])?;
    Ok(before)
}

/// Envoy's shared data: versions are its compare-and-swap values.
struct SharedData;

impl Cells for SharedData {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, CellFault> {
        host::shared_data(key).map_err(|host::Refused| CellFault)
    }

    fn write(&self, key: &str, value: &[u8], seen: Option<u32>) -> Result<Written, CellFault> {
        match host::set_shared_data(key, value, seen) {
            Ok(true) => Ok(Written::Done),
            Ok(false) => Ok(Written::Changed),
            Err(host::Refused) => Err(CellFault),
        }
    }
}
