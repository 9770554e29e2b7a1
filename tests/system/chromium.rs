//! The page of a replay in a browser: it is drawn as it was written, and its policy for content lets
//! nothing else be.

#[path = "../command.rs"]
mod command;

use crate::program;
use portcullis_tests::root;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use zune_png::{PngDecoder, zune_core::bytestream::ZCursor};

/// What a browser may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Browser {
    binary: PathBuf,
    folder: TempDir,
}

impl Browser {
    /// What it prints, and what it and the page log.
    fn open(&self, page: &Path, arguments: &[&str]) -> (String, String) {
        let at = |name: &str| self.folder.path().join(name);
        let to = |name: &str| Stdio::from(File::create(at(name)).unwrap());
        let mut browser = Command::new(&self.binary)
            .args(["--headless", "--disable-gpu", "--no-first-run"])
            // As root it has no sandbox; the page is our own.
            .args(["--no-sandbox", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--hide-scrollbars"])
            .args(["--enable-logging=stderr", "--window-size=1000,1400"])
            .arg(format!("--user-data-dir={}", at("profile").display()))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .stdin(Stdio::null())
            .stdout(to("stdout"))
            .stderr(to("stderr"))
            .spawn()
            .unwrap();
        let since = Instant::now();
        let status = loop {
            match browser.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if since.elapsed() > PATIENCE => {
                    let _ = browser.kill();
                    let _ = browser.wait();
                    break None;
                }
                None => thread::sleep(Duration::from_millis(50)),
            }
        };
        let read = |name: &str| String::from_utf8_lossy(&fs::read(at(name)).unwrap()).into_owned();
        let (printed, logged) = (read("stdout"), read("stderr"));
        assert!(status.is_some_and(|it| it.success()), "{logged}");
        (printed, logged)
    }

    /// The colours of the page as it is drawn, and how many points are of none but the first of them.
    fn colours(&self, page: &Path, arguments: &[&str]) -> (BTreeSet<Vec<u8>>, usize) {
        let picture = self.folder.path().join("page.png");
        let shot = format!("--screenshot={}", picture.display());
        self.open(page, &[&[shot.as_str()], arguments].concat());
        let mut decoder = PngDecoder::new(ZCursor::new(fs::read(picture).unwrap()));
        let points = decoder.decode_raw().unwrap();
        assert_eq!(decoder.dimensions(), Some((1000, 1400)));
        let size = points.len() / (1000 * 1400);
        assert!(size == 3 || size == 4, "{size} bytes a point");
        let first = points[..size].to_vec();
        let drawn = points.chunks(size).filter(|point| **point != first);
        let drawn = drawn.count();
        let colours = points.chunks(size).map(<[u8]>::to_vec).collect();
        (colours, drawn)
    }
}

/// What a page's log has to say of it, without the browser's own troubles with its host.
fn complaints(logged: &str) -> Vec<&str> {
    let lines = logged.lines();
    lines.filter(|line| line.contains("CONSOLE")).collect()
}

#[test]
fn the_page_of_a_replay_is_drawn_and_runs_nothing() {
    let Some(binary) = program("chromium") else {
        return;
    };
    let browser = Browser {
        binary,
        folder: tempfile::tempdir().unwrap(),
    };
    let folder = browser.folder.path();
    let data = root().join("host-harness/cli/tests/replay");
    let log = fs::read_to_string(data.join("decisions.jsonl")).unwrap();
    // One of its subjects is somebody's who tries the page.
    let tried =
        "<script>document.title='run'</script><img src='http://127.0.0.1:9/x' onerror='alert(1)'>";
    fs::write(
        folder.join("decisions.jsonl"),
        log.replace("\"subject\":\"bob\"", &format!("\"subject\":\"{tried}\"")),
    )
    .unwrap();
    let page = folder.join("flips.html");
    let output = command::command()
        .args(["replay", "decisions.jsonl", "--format", "html", "--policy"])
        .arg(data.join("policy"))
        .arg("--output")
        .arg(&page)
        .current_dir(folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");

    let (dom, logged) = browser.open(&page, &["--dump-dom"]);
    assert_eq!(complaints(&logged), Vec::<&str>::new());
    for part in [
        "<svg ",
        "id=\"over-time\"",
        "id=\"by-rule\"",
        "<rect class=\"to-deny\"",
        "<details class=\"group\" open=\"open\">",
        "GET shop.example.com /orders/{id}",
        "POST shop.example.com /orders",
        "<title>4 decisions flip against ",
        "&lt;script&gt;",
    ] {
        assert!(dom.contains(part), "{part} is not in {dom}");
    }
    assert!(!dom.contains("<script") && !dom.contains("<img"), "{dom}");

    let (light, drawn) = browser.colours(&page, &["--blink-settings=preferredColorScheme=1"]);
    assert!(
        light.len() > 20 && drawn > 20_000,
        "{}, {drawn}",
        light.len()
    );
    let (dark, drawn) = browser.colours(&page, &["--blink-settings=preferredColorScheme=0"]);
    assert!(dark.len() > 20 && drawn > 20_000, "{}, {drawn}", dark.len());
    // The bars to deny, which each has in its own.
    let holds =
        |all: &BTreeSet<Vec<u8>>, colour: [u8; 3]| all.iter().any(|it| it.starts_with(&colour));
    assert!(holds(&light, [0xb3, 0x40, 0x0a]) && !holds(&light, [0xff, 0x9b, 0x5e]));
    assert!(holds(&dark, [0xff, 0x9b, 0x5e]) && !holds(&dark, [0xb3, 0x40, 0x0a]));

    // What else stood in the page would not run, and would be told.
    let text = fs::read_to_string(&page).unwrap();
    let other = folder.join("other.html");
    fs::write(
        &other,
        text.replace(
            "</main>",
            &format!("{tried}<p style='color: red'>x</p></main>"),
        ),
    )
    .unwrap();
    let (dom, logged) = browser.open(&other, &["--dump-dom"]);
    assert!(dom.contains("<title>4 decisions flip against "), "{dom}");
    assert!(complaints(&logged).len() >= 3, "{logged}");
}
