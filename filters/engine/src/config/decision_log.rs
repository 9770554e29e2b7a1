//! Where events of decisions go, and what of them is never told.

use super::{
    raw::decision_log as raw,
    remote::{self, Endpoint},
    scalar::Size,
    secret::Secret,
};
use crate::{decision_log::Pointer, error::Findings, gate::Secrets, sample::Share};
use std::{collections::BTreeMap, time::Duration};

pub struct DecisionLog {
    /// Whether they are lines of the proxy's log.
    pub proxy: bool,
    pub upload: Option<Upload>,
    /// Of the allowed requests, by their ids; of the others none is left out.
    pub sample_allowed: Share,
    /// What is taken out of every event.
    pub mask: Vec<Pointer>,
    /// Beside the gate's own.
    pub labels: BTreeMap<String, String>,
}

/// Where they are uploaded, in batches.
pub struct Upload {
    pub endpoint: Endpoint,
    /// Of the client, for the server (RFC 6750 section 2.1).
    pub token: Option<Secret>,
    /// Of one call.
    pub timeout: Duration,
    /// How long an event waits for others at most.
    pub interval: Duration,
    /// The most bytes of a batch, compressed.
    pub max_batch: usize,
    /// The most bytes that wait; at least two batches.
    pub buffer: usize,
}

const PATH: &str = "decision_log";

pub fn read(raw: raw::DecisionLog, secrets: &dyn Secrets, findings: &mut Findings) -> DecisionLog {
    let uploads = raw.cluster.is_some();
    if !uploads && !raw.proxy {
        findings.add(
            PATH,
            "tells nobody; takes `proxy: true` for lines in the proxy's log, or `cluster` and `authority` \
             of a server that takes OPA's decision logs",
        );
    }
    let mask = raw.mask.iter().enumerate().filter_map(|(index, text)| {
        let pointer = Pointer::of_event(text);
        let wrong = |message| findings.add(format!("{PATH}.mask[{index}]"), message);
        pointer.map_err(wrong).ok()
    });
    let mask = mask.collect();
    for (key, value) in &raw.labels {
        let message = match key.as_str() {
            "" => "has no name",
            "id" | "version" => "is the gate's own; takes another name",
            _ if value.is_empty() => "is empty; takes a text",
            _ => continue,
        };
        findings.add(format!("{PATH}.labels.{key}"), message);
    }
    let sample_allowed = raw.sample_allowed.unwrap_or(Share::ALL);
    let proxy = raw.proxy;
    let labels = raw.labels.clone();
    let upload = match uploads {
        true => Some(upload(raw, secrets, findings)),
        false => {
            refuse_beside_none(&raw, findings);
            None
        }
    };
    DecisionLog {
        proxy,
        upload,
        sample_allowed,
        mask,
        labels,
    }
}

fn refuse_beside_none(raw: &raw::DecisionLog, findings: &mut Findings) {
    let keys = [
        ("authority", raw.authority.is_some()),
        ("path", raw.path.is_some()),
        ("token", raw.token.is_some()),
        ("timeout", raw.timeout.is_some()),
        ("interval", raw.interval.is_some()),
        ("max_upload", raw.max_upload.is_some()),
        ("buffer", raw.buffer.is_some()),
    ];
    for (key, _) in keys.iter().filter(|(_, is_given)| *is_given) {
        findings.add(
            format!("{PATH}.{key}"),
            "stands beside no `cluster`, so nothing is uploaded",
        );
    }
}

fn upload(raw: raw::DecisionLog, secrets: &dyn Secrets, findings: &mut Findings) -> Upload {
    let endpoint = remote::Raw {
        cluster: raw.cluster,
        authority: raw.authority,
        path: raw.path,
    };
    let endpoint = endpoint.read(Some("/logs"), PATH, findings);
    let timeout = raw.timeout.map_or(Duration::from_secs(5), |span| span.0);
    remote::call_timeout(timeout, &format!("{PATH}.timeout"), findings);
    let interval = raw.interval.map_or(Duration::from_secs(10), |span| span.0);
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(3600));
    let path = format!("{PATH}.interval");
    remote::between(interval, least, most, &path, findings);
    // OPA's `upload_size_limit_bytes`. A host copies what it sends.
    let max_batch = size(raw.max_upload, (32 << 10, 1 << 10, 4 << 20));
    let max_batch = max_batch.unwrap_or_else(|()| {
        let takes = "takes a size from `1KiB` to `4MiB`";
        findings.add(format!("{PATH}.max_upload"), takes);
        32 << 10
    });
    let least = max_batch.saturating_mul(2);
    let buffer = size(raw.buffer, (least.max(1 << 20), least, 64 << 20));
    let buffer = buffer.unwrap_or_else(|()| {
        let takes = "takes a size from twice `max_upload`, which is one batch under way and one that is filled, to `64MiB`";
        findings.add(format!("{PATH}.buffer"), takes);
        least
    });
    Upload {
        endpoint,
        token: remote::token(raw.token.as_ref(), PATH, secrets, findings),
        timeout,
        interval,
        max_batch,
        buffer,
    }
}

/// In bytes: the default, the least and the most.
fn size(found: Option<Size>, (default, least, most): (usize, usize, usize)) -> Result<usize, ()> {
    let Some(Size(found)) = found else {
        return Ok(default);
    };
    let found = usize::try_from(found).map_err(|_| ())?;
    match (least..=most).contains(&found) {
        true => Ok(found),
        false => Err(()),
    }
}
