//! An Envoy process: found, started, asked where it listens, ended with its owner.

use crate::{On, error::Error, subject::Exchange, wire};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub struct Envoy {
    process: Child,
    admin: SocketAddr,
    folder: TempDir,
}

/// How a start ended.
pub enum Exit {
    Serving(Envoy),
    /// Before it served: what it logged.
    Ended {
        status: ExitStatus,
        log: String,
    },
}

/// V8 compiles the module ahead, which takes seconds on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(120);

impl Envoy {
    pub fn start(
        binary: &Path,
        config: &Value,
        environment: &BTreeMap<String, String>,
    ) -> Result<Exit, Error> {
        Envoy::start_with(binary, config, environment, 1)
    }

    /// With so many workers.
    pub fn start_with(
        binary: &Path,
        config: &Value,
        environment: &BTreeMap<String, String>,
        workers: u32,
    ) -> Result<Exit, Error> {
        let failed = |error: std::io::Error| Error::Subject(On::Envoy, error.to_string());
        let folder = tempfile::tempdir().map_err(failed)?;
        let [config_file, log, admin] =
            ["envoy.json", "envoy.log", "admin"].map(|name| folder.path().join(name));
        fs::write(&config_file, config.to_string()).map_err(failed)?;
        let output = File::create(&log).map_err(failed)?;
        let process = Command::new(binary)
            .arg("--config-path")
            .arg(&config_file)
            .arg("--admin-address-path")
            .arg(&admin)
            .args([
                "--concurrency",
                &workers.to_string(),
                "--file-flush-interval-msec",
                "20",
                "--log-level",
                "warning",
                // What a gate says that is no warning.
                "--component-log-level",
                "wasm:info",
            ])
            .args(["--disable-hot-restart", "--drain-time-s", "1"])
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .map_err(|error| {
                Error::Unavailable(On::Envoy, format!("{}: {error}", binary.display()))
            })?;
        // Owned from here on, so that it ends whatever happens.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Envoy {
            process,
            admin: nowhere,
            folder,
        };
        let patience = Instant::now();
        loop {
            if let Some(status) = envoy.process.try_wait().map_err(failed)? {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Ok(Exit::Ended { status, log });
            }
            if let Some(address) = fs::read_to_string(&admin)
                .ok()
                .and_then(|text| text.trim().parse().ok())
            {
                envoy.admin = address;
                if envoy.get("/ready").is_ok_and(|(status, _)| status == 200) {
                    return Ok(Exit::Serving(envoy));
                }
            }
            if patience.elapsed() > START_PATIENCE {
                return Err(Error::Subject(
                    On::Envoy,
                    format!("not ready after {START_PATIENCE:?}:\n{}", envoy.log()),
                ));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process, for those who ask the system about it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The addresses of all listeners by name.
    pub fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>, Error> {
        let failed =
            |message: &str| Error::Subject(On::Envoy, format!("its list of listeners: {message}"));
        let (_, body) = self
            .get("/listeners?format=json")
            .map_err(|error| failed(&error.to_string()))?;
        let list: Value =
            serde_json::from_slice(&body).map_err(|error| failed(&error.to_string()))?;
        let statuses = list.get("listener_statuses").and_then(Value::as_array);
        statuses
            .ok_or_else(|| failed("is empty"))?
            .iter()
            .map(|status| {
                let name = status.get("name").and_then(Value::as_str);
                let port = status
                    .pointer("/local_address/socket_address/port_value")
                    .and_then(Value::as_u64);
                let port = port.and_then(|port| u16::try_from(port).ok());
                let (name, port) = name
                    .zip(port)
                    .ok_or_else(|| failed("has no name or port"))?;
                Ok((name.to_owned(), SocketAddr::from(([127, 0, 0, 1], port))))
            })
            .collect()
    }

    /// A counter of its statistics, once there is one of this name.
    pub fn counter(&self, name: &str) -> Option<u64> {
        let (_, body) = self.get(&format!("/stats?filter={name}")).ok()?;
        String::from_utf8_lossy(&body)
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| *found == name)
            .and_then(|(_, value)| value.parse().ok())
    }

    /// A page of its admin port.
    pub fn page(&self, path: &str) -> std::io::Result<String> {
        let (_, body) = self.get(path)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("envoy.log")).unwrap_or_default()
    }

    fn get(&self, path: &str) -> std::io::Result<(u16, Vec<u8>)> {
        let exchange = Exchange::bare("GET", path, "admin");
        wire::send(self.admin, &exchange).map(|answer| (answer.status, answer.body))
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The binary: `ENVOY_BIN`, or what `tests/requirements.txt` installs into a `.venv` here or above.
pub fn find(from: &Path) -> Result<PathBuf, String> {
    if let Some(binary) = std::env::var_os("ENVOY_BIN").map(PathBuf::from) {
        let missing = || {
            format!(
                "`{}`, which ENVOY_BIN names, is not there",
                binary.display()
            )
        };
        return if binary.is_file() {
            Ok(binary.clone())
        } else {
            Err(missing())
        };
    }
    for folder in from.ancestors() {
        let Ok(versions) = fs::read_dir(folder.join(".venv/lib")) else {
            continue;
        };
        for version in versions.flatten() {
            let binary = version.path().join("site-packages/envoy/_bin/envoy");
            if binary.is_file() {
                return Ok(binary);
            }
        }
    }
    Err("neither ENVOY_BIN nor `.venv` has one: `python3 tests/setup.py` installs it".into())
}
