//! The file itself: whose it is, and who else writes it.

use super::*;

/// A folder whose `gate.yaml` is somebody else's; none where this user cannot give files away.
fn of_another() -> Option<Folder> {
    let folder = folder_with("");
    match chown(folder.path().join("gate.yaml"), Some(1234), Some(1235)) {
        Ok(()) => Some(folder),
        Err(error) => {
            eprintln!("skipped: only root gives files away: {error}");
            None
        }
    }
}

fn owner(folder: &Folder) -> (u32, u32, u32) {
    let metadata = fs::metadata(folder.path().join("gate.yaml")).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

#[test]
fn a_file_keeps_its_owner() {
    let Some(folder) = of_another() else {
        return;
    };
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(folder.path().join("gate.yaml"), mode).unwrap();
    let before = folder.read("gate.yaml");
    let ran = rotate(&folder, &["--new-id", "next"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_ne!(folder.read("gate.yaml"), before);
    assert_eq!(owner(&folder), (1234, 1235, 0o640));
}

#[test]
fn a_file_whose_owner_would_be_lost_is_left_alone() {
    let Some(folder) = of_another() else {
        return;
    };
    // Another user may write into the folder, but not give files away.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let file = folder.path().join("gate.yaml");
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let before = folder.read("gate.yaml");
    // Where the binary was built that user perhaps may not look.
    let binary = folder.path().join("portcullis");
    // By another process: what this one has open for writing, a child of another test would keep.
    let copied = std::process::Command::new("cp")
        .args([
            env!("CARGO_BIN_EXE_portcullis").as_ref(),
            binary.as_os_str(),
        ])
        .status();
    assert!(copied.unwrap().success());
    let output = std::process::Command::new(&binary)
        .args(["keys", "rotate", "acme-2026-01", "--key-file", "new.key"])
        .current_dir(folder.path())
        .uid(4321)
        .gid(4321)
        .output()
        .unwrap();
    let ran = Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    let error = "error: gate.yaml: cannot be kept as 1234:1235's: ";
    left_alone(&folder, &ran, &before, error);
    assert!(
        ran.stderr
            .contains("\nhint: nothing was written; run this as user 1234")
    );
    assert_eq!(owner(&folder), (1234, 1235, 0o644));
    let leftover = fs::read_dir(folder.path()).unwrap().any(|it| {
        let name = it.unwrap().file_name();
        name.to_string_lossy().starts_with(".portcullis")
    });
    assert!(!leftover);
}

#[test]
fn rotations_at_the_same_time_lose_no_key() {
    let folder = folder_with("");
    let names: Vec<String> = (0..6).map(|it| format!("next-{it}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            folder
                .command(&["keys", "rotate", "acme-2026-01", "--expires", "never"])
                .args(["--new-id", name, "--key-file", name])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
    }
    for name in &names {
        assert_eq!(verified(&folder, name)["id"], name.as_str());
    }
}

#[test]
fn what_is_edited_is_read_when_nobody_else_edits() {
    let folder = folder_with("");
    let lock = File::open(folder.path()).unwrap();
    lock.lock().unwrap();
    let mut child = folder
        .command(&["keys", "rotate", "acme-2026-01", "--key-file", "new.key"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(
        line.ends_with(": waiting for who else edits here\n"),
        "{line}"
    );
    folder.edit("gate.yaml", "# ours", "# theirs");
    lock.unlock().unwrap();
    told.read_to_string(&mut line).unwrap();
    assert!(child.wait().unwrap().success(), "{line}");
    assert!(folder.read("gate.yaml").starts_with("# theirs\n"));
    assert_eq!(verified(&folder, "new.key")["subject"], "acme");
}
