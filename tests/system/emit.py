#!/usr/bin/env python3
"""Emits manifests of an image in a real registry, Debian's `docker-registry`: of what a key signed, and of
nothing else."""

import hashlib
import json
import os
import pathlib
import re
import subprocess

from registries import COMMAND, ROOT, command, registry, run_all

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    pass  # `run_all` says so.

WASM = pathlib.Path(os.environ.get("PORTCULLIS_WASM", ROOT / "target/wasm32-wasip1/release/portcullis.wasm"))
GATE = 'policy: {modules: {authz.rego: "package envoy.authz\\n\\nallow := true\\n"}}\n'
ISTIO = ("--for", "istio", "--selector", "app=orders", "-o", "out")
MANIFEST = "out/portcullis.wasmplugin.yaml"


def what_a_key_signed_is_emitted(folder):
    with registry(folder) as host:
        digest = signed(folder, host)
        said = command(folder, "image", "emit", f"{host}/gate:v1", "--key", "ours.pub", *ISTIO)
        assert said.stdout.strip() == MANIFEST, said
        assert "NOBODY VERIFIED" not in said.stderr, said
        text = (folder / MANIFEST).read_text()
        assert f'url: "oci://{host}/gate@{digest}"\n' in text, text
        # In quotes only where YAML could take it for a number.
        assert re.search(f'^  sha256: "?{digest.removeprefix("sha256:")}"?$', text, re.MULTILINE), text
        assert "--key ours.pub" in text, text
        # The module itself, for those who put it into place themselves.
        module = hashlib.sha256(WASM.read_bytes()).hexdigest()
        envoy = ("--for", "envoy", "--wasm-path", "gate.wasm", "--format", "json")
        said = command(folder, "image", "emit", f"{host}/gate:v1", "--key", "ours.pub", *envoy)
        answer = json.loads(said.stdout)
        assert answer["verified"] and answer["module"] == f"sha256:{module}", answer
        assert answer["image"] == f"{host}/gate@{digest}", answer
        [check] = [line for line in answer["commands"] if "sha256sum" in line]
        (folder / "gate.wasm").write_bytes(WASM.read_bytes())
        assert os.system(f"cd {folder} && {check} >/dev/null") == 0, check


def what_nobody_signed_is_refused(folder):
    with registry(folder) as host:
        signed(folder, host)
        foreign = emit(folder, f"{host}/gate:v1", "--key", "theirs.pub")
        assert foreign.returncode == 1 and foreign.stderr.startswith("error: "), foreign
        # Somebody moves the tag.
        again = ("image", "push", f"{host}/gate:v1", "--wasm", WASM, "--version", "v2")
        command(folder, *again)
        moved = emit(folder, f"{host}/gate:v1", "--key", "ours.pub")
        assert moved.returncode == 1 and moved.stderr.startswith("error: "), moved
        for done in (foreign, moved):
            assert done.stdout == "" and not (folder / "out").exists(), done
        nowhere = emit(folder, f"{host}/nowhere:v1", "--key", "ours.pub")
        assert nowhere.returncode != 0 and not (folder / "out").exists(), nowhere


def a_tag_that_nobody_verified_becomes_a_digest_too(folder):
    with registry(folder) as host:
        push = ("image", "push", f"{host}/gate:v1", "--wasm", WASM, "--format", "json")
        digest = json.loads(command(folder, *push).stdout)["digest"]
        keys(folder)
        done = emit(folder, f"{host}/gate:v1", "--unverified")
        assert done.returncode == 0 and "NOBODY VERIFIED THIS IMAGE" in done.stderr, done
        text = (folder / MANIFEST).read_text()
        assert f"{host}/gate@{digest}" in text and "NOBODY VERIFIED THIS IMAGE" in text, text


def the_readme_is_right(folder):
    readme = (ROOT / "README.md").read_text()
    [block] = re.findall(r"<!-- test: images -->\n```sh\n(.*?)```", readme, re.DOTALL)
    keys(folder)
    for found, put in (("ours.pem", "ci.pem"), ("ours.pub", "ci.pub.pem")):
        (folder / found).rename(folder / put)
    (folder / "portcullis.wasm").write_bytes(WASM.read_bytes())
    (folder / "portcullis.wasm.cdx.json").write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6"}))
    bin = folder / "bin"
    bin.mkdir()
    (bin / "portcullis").symlink_to(COMMAND.resolve())
    with registry(folder) as host:
        assert "localhost:5000" in block, block
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace("localhost:5000", host)],
            cwd=folder,
            env={**os.environ, "DOCKER_CONFIG": str(folder), "PATH": f"{bin}:{os.environ['PATH']}"},
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done
        assert "verified" in done.stdout, done
        assert "@sha256:" in (folder / "manifests/portcullis.wasmplugin.yaml").read_text()


def emit(folder, image, *more):
    return command(folder, "image", "emit", image, *more, *ISTIO, check=False)


def signed(folder, host):
    """An image with a signature of ours; its digest."""
    keys(folder)
    push = ("image", "push", f"{host}/gate:v1", "--wasm", WASM, "--format", "json")
    digest = json.loads(command(folder, *push).stdout)["digest"]
    command(folder, "image", "sign", f"{host}/gate@{digest}", "--key", "ours.pem")
    return digest


def keys(folder):
    (folder / "gate.yaml").write_text(GATE)
    for name in ("ours", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, pkcs8, plain)
        (folder / f"{name}.pem").write_bytes(private)
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        public = key.public_key().public_bytes(serialization.Encoding.PEM, spki)
        (folder / f"{name}.pub").write_bytes(public)


if __name__ == "__main__":
    tests = [
        what_a_key_signed_is_emitted,
        what_nobody_signed_is_refused,
        a_tag_that_nobody_verified_becomes_a_digest_too,
        the_readme_is_right,
    ]
    run_all(tests)
