#!/usr/bin/env python3
"""Puts a release together of what `make release` has built: the module and the command, each with its bill of
materials and its licence report, and the checksums of them all."""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

try:
    import bill
    import licences
    import packages
except ImportError as missing:
    sys.exit(f"release: {missing}; `make release` runs this with .venv/bin/python, of Python 3.11 or later")

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Built:
    """What a file was built from: the commit, its time in seconds since 1970, the compiler; and its SHA-256."""

    commit: str
    epoch: int
    compiler: str
    sha256: str


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="say only whether a release can be built here")
    parser.add_argument("--module", type=pathlib.Path, help="portcullis.wasm, as built")
    parser.add_argument("--command", type=pathlib.Path, help="portcullis, as built")
    parser.add_argument("--out", type=pathlib.Path, default=packages.ROOT / "target/release-files", help="a folder")
    parser.add_argument("--dirty", action="store_true", help="also with changes that are not committed, which it says")
    chosen = parser.parse_args()
    rustc = compiler()
    commit = committed(chosen.dirty)
    tags = run("git", "tag", "--points-at", "HEAD", "--list", "v*").split()
    refuse_another_version(packages.manifest(), tags, (packages.ROOT / "CHANGELOG.md").read_text())
    if chosen.check:
        return
    files = [
        (chosen.module, packages.Part("portcullis-filter", "wasm32-wasip1", "portcullis.wasm", bill.MODULE)),
        (chosen.command, packages.Part("portcullis-cli", rustc["host"], f"portcullis-{rustc['host']}", bill.COMMAND)),
    ]
    files = [(file, part) for file, part in files if file is not None]
    if not files:
        raise ValueError("there is nothing to release: give it --module FILE, --command FILE or both")
    if chosen.out.exists() and not (chosen.out / SUMS).is_file():
        raise ValueError(f"{chosen.out} is there and is no release: it is not overwritten")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct"))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    # A release is there as a whole or not at all.
    with tempfile.TemporaryDirectory(dir=chosen.out.parent) as folder:
        made = pathlib.Path(folder) / "made"
        made.mkdir()
        for file, part in files:
            shutil.copy(file, made / part.file)
            crates = packages.crates(part)
            built = Built(commit, epoch, rustc["release"], sha256(file))
            (made / f"{part.file}.cdx.json").write_text(bill.bill(part, crates, built))
            (made / f"{part.file}.licences.txt").write_text(licences.report(part, crates, packages.ROOT))
        # As sha256sum(1) reads them.
        sums = "".join(f"{sha256(file)}  {file.name}\n" for file in sorted(made.iterdir()))
        (made / SUMS).write_text(sums)
        shutil.rmtree(chosen.out, ignore_errors=True)
        made.rename(chosen.out)
    print(f"{sums}in {chosen.out}")


def compiler():
    """What rustc says of itself. Another than the workspace names makes other bytes."""
    said = dict(line.split(": ", 1) for line in run("rustc", "-vV").splitlines() if ": " in line)
    wanted = packages.manifest()["workspace"]["package"]["rust-version"]
    if not said["release"].startswith(f"{wanted}."):
        found = said["release"]
        raise ValueError(f"a release is built with Rust {wanted}, and this is {found}: rustup default {wanted}")
    return said


def refuse_another_version(manifest, tags, changelog):
    """What is tagged as a version is that version, and CHANGELOG.md says what is new in it."""
    version = manifest["workspace"]["package"]["version"]
    if not tags:
        return
    if tags != [f"v{version}"]:
        raise ValueError(f"this commit is tagged {', '.join(tags)}, and its Cargo.toml says {version}")
    newest = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    if newest is None or newest[1] != version:
        raise ValueError(f"CHANGELOG.md does not begin with {version}, as which this commit is tagged")


def committed(dirty):
    changed = run("git", "status", "--porcelain")
    if changed and not dirty:
        raise ValueError(f"no commit says what this is, with these changes:\n{changed}")
    return run("git", "rev-parse", "HEAD") + ("-dirty" if changed else "")


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def run(*command):
    done = subprocess.run(command, cwd=packages.ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ValueError(f"`{' '.join(command)}` failed")
    return done.stdout.strip()


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"release: {error}")
