//! nginx as a bundle server: files, its own `ETag` and `If-None-Match`, compressed or not.

use crate::program;
use portcullis_engine::words::counter;
use portcullis_runner::Envoy;
use portcullis_tests::bundles::{
    contents::{Rule, revision},
    load::{Client, Load},
    stage::{Stage, as_is},
};
use serde_json::{Value, json};
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};
use tempfile::TempDir;

/// Below its root.
const FILE: &str = "app.tar.gz";

struct Nginx {
    binary: PathBuf,
    folder: TempDir,
    address: SocketAddr,
    process: Option<Child>,
}

impl Nginx {
    fn new(binary: PathBuf, gzip: &str) -> Nginx {
        let folder = tempfile::tempdir().unwrap();
        // Its workers may run as somebody else, who has to get here.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        let at = folder.path();
        fs::create_dir(at.join("root")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let config = format!(
            "daemon off;
worker_processes 1;
pid {at}/pid;
error_log stderr;
events {{}}
http {{
  types {{ application/gzip gz; }}
  access_log {at}/access;
  client_body_temp_path {at}/body;
  proxy_temp_path {at}/proxy;
  fastcgi_temp_path {at}/fastcgi;
  uwsgi_temp_path {at}/uwsgi;
  scgi_temp_path {at}/scgi;
  gzip {gzip};
  gzip_types application/gzip;
  gzip_min_length 1;
  server {{
    listen {address};
    root {at}/root;
  }}
}}
",
            at = at.display()
        );
        fs::write(at.join("nginx.conf"), config).unwrap();
        let mut nginx = Nginx {
            binary,
            folder,
            address,
            process: None,
        };
        nginx.start();
        nginx
    }

    fn start(&mut self) {
        let at = self.folder.path();
        let process = Command::new(&self.binary)
            .arg("-p")
            .arg(at)
            .arg("-c")
            .arg(at.join("nginx.conf"))
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(at.join("errors")).unwrap())
            .spawn();
        self.process = Some(process.unwrap());
        let since = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let said = || fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
            assert!(since.elapsed() < Duration::from_secs(30), "{}", said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// At once, in the middle of whatever it does (nginx, "Controlling nginx").
    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let id = process.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &id]).status();
            let _ = process.wait();
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("root").join(FILE)
    }

    /// As one publishes: a whole file takes the place of another.
    fn publish(&self, number: u64, bundle: &[u8]) {
        let new = self.file().with_extension("new");
        fs::write(&new, bundle).unwrap();
        // nginx makes its tag of the time in seconds and of the length: two bundles of one second and one
        // length would be the same to it.
        let at = SystemTime::now() + Duration::from_secs(number);
        let file = fs::File::options().write(true).open(&new).unwrap();
        file.set_modified(at).unwrap();
        mode(&new, 0o644);
        fs::rename(&new, self.file()).unwrap();
    }

    /// The statuses that it answered with.
    fn answered(&self) -> Vec<u16> {
        let log = fs::read_to_string(self.folder.path().join("access")).unwrap_or_default();
        let status = |line: &str| line.split("\" ").nth(1)?.split(' ').next()?.parse().ok();
        log.lines().filter_map(status).collect()
    }
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn nginx_is_a_bundle_server() {
    let Some(binary) = program("nginx") else {
        return;
    };
    for gzip in ["off", "on"] {
        serves(Nginx::new(binary.clone(), gzip), gzip);
    }
}

fn serves(mut nginx: Nginx, gzip: &str) {
    let at = nginx.address;
    // In place of the test's own server.
    let by_nginx = |config: &mut Value, _: &Path| {
        let clusters = config["static_resources"]["clusters"]
            .as_array_mut()
            .unwrap();
        let cluster = clusters
            .iter_mut()
            .find(|cluster| cluster["name"] == "bundles/bundles");
        let assignment = &mut cluster.unwrap()["load_assignment"]["endpoints"][0];
        assignment["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] =
            json!(at.port());
    };
    let Some(stage) = Stage::shaped(2, &[&as_is], by_nginx) else {
        return;
    };
    let instances = stage.instances();
    let metric = |name| stage.metric(name);
    // There is nothing yet.
    stage.until_counted(counter::BUNDLE_DOWNLOAD_FAILURES, instances);
    let mut client = Client::connect(stage.address(0)).unwrap();
    assert_eq!(client.ask("").unwrap().reason, "policy.unavailable");
    let bundle = |number: u64| {
        let name = format!("r{number}");
        stage
            .publisher
            .bundle(revision(&name, number, &name, Rule::Everybody))
    };
    let bundles = [1, 2, 3, 4].map(bundle);
    nginx.publish(1, &bundles[0]);
    stage.until_counted(counter::BUNDLE_ACTIVATIONS, instances);
    // By the tag that nginx made of it.
    stage.until_counted(counter::BUNDLE_UNCHANGED, 3 * instances);
    assert_eq!(metric(counter::BUNDLE_ACTIVATIONS), instances);
    let answered = nginx.answered();
    let not_modified = answered.iter().filter(|status| **status == 304).count() as u64;
    assert!(not_modified >= 3 * instances, "{answered:?}");
    let whole = answered.iter().filter(|status| **status == 200).count() as u64;
    assert_eq!(whole, instances, "{answered:?}");

    let ((), connections) = Load::run(stage.address(0), 4, &[String::new()], |load| {
        let enforced = |number: usize| {
            let tag = format!("r{number}");
            stage.until("every client is answered by the next", || {
                load.every(|answer| answer.literal == tag)
            });
            stage.until_counted(counter::BUNDLE_ACTIVATIONS, number as u64 * instances);
        };
        let published = Instant::now();
        nginx.publish(2, &bundles[1]);
        enforced(2);
        println!(
            "gzip {gzip}: enforced everywhere {:?} after the file was replaced",
            published.elapsed()
        );

        fails(&stage, "the answer has status 403", || {
            // Workers of a server that was started as root are nobody's.
            mode(&nginx.file(), 0o000);
        });
        mode(&nginx.file(), 0o644);
        nginx.publish(3, &bundles[2]);
        enforced(3);

        fails(&stage, "the answer has status 503", || nginx.stop());
        nginx.start();
        nginx.publish(4, &bundles[3]);
        enforced(4);
    });
    for connection in connections {
        let mut latest = String::new();
        for sample in connection.samples() {
            let answer = sample.answer;
            assert_eq!((answer.status, &answer.literal), (200, &answer.data));
            assert!(answer.literal >= latest, "{answer:?} after {latest}");
            latest = answer.literal;
        }
        assert_eq!(latest, "r4");
    }
    portcullis_tests::assert_well(&stage.envoy);
}

/// What is so from here on is counted, and the log says why.
fn fails(stage: &Stage, said: &str, become_so: impl FnOnce()) {
    let since = |envoy: &Envoy| envoy.log().len();
    let (log, count) = (
        since(&stage.envoy),
        stage.metric(counter::BUNDLE_DOWNLOAD_FAILURES),
    );
    let activations = stage.metric(counter::BUNDLE_ACTIVATIONS);
    become_so();
    stage.until_counted(
        counter::BUNDLE_DOWNLOAD_FAILURES,
        count + 2 * stage.instances(),
    );
    assert_eq!(stage.metric(counter::BUNDLE_ACTIVATIONS), activations);
    let log = stage.log_since(log);
    assert!(log.contains(said), "{log}");
}
