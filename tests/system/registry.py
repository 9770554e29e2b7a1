#!/usr/bin/env python3
"""Pushes bundles to a real registry, Debian's `docker-registry`, and pulls them as OPA's downloader does
(v1/download/oci_download.go): the manifest by its tag, then the first layer of the type of a bundle."""

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    x509 = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = pathlib.Path(os.environ.get("PORTCULLIS", ROOT / "target/release/portcullis"))
PACKAGE = "docker-registry"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
USER, PASSWORD = "ci", "of-a-test-only"
# Of bcrypt, which is all that this registry takes.
HTPASSWD = "ci:$2b$04$.tpsQdVaOyXhBQRZSAIDjORKaQsFJLd1TOWF8DvjKIFL3caZSev.6\n"


def main():
    why = missing()
    if why and os.environ.get("CI") == "true":
        sys.exit(f"test-system: {why}")
    if why:
        print(f"test-system: 0 passed, {len(TESTS)} skipped: {why}")
        return
    for test in TESTS:
        with tempfile.TemporaryDirectory(prefix="portcullis-system-") as folder:
            test(pathlib.Path(folder))
        print(f"test-system: {test.__name__} ... ok", flush=True)
    print(f"test-system: {len(TESTS)} passed, 0 skipped")


def missing():
    """Installs the registry where CI may; else why there is none."""
    if shutil.which(PACKAGE) is None and os.environ.get("CI") == "true" and os.geteuid() == 0:
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], check=True, **quiet)
        subprocess.run(["apt-get", "install", "-yqq", "--no-install-recommends", PACKAGE], check=True, **quiet)
    if x509 is None:
        return "cryptography is not in .venv, where tests/setup.py puts it"
    if shutil.which(PACKAGE) is None:
        return f"there is no {PACKAGE}: `apt-get install {PACKAGE}`"
    return None


def a_bundle_comes_back_as_it_was(folder):
    bundle = build(folder)
    with registry(folder) as host:
        said = push(folder, f"{host}/policies/authz:v7")
        manifest, digest = pull(host, "policies/authz", "v7")
        assert said["digest"] == digest, (said, digest)
        assert said["pinned"] == f"{host}/policies/authz@{digest}", said
        assert manifest["mediaType"] == MANIFEST and manifest["schemaVersion"] == 2, manifest
        assert manifest["config"]["mediaType"] == CONFIGURATION, manifest
        [layer] = [layer for layer in manifest["layers"] if layer["mediaType"] == LAYER]
        assert layer["digest"] == said["layer"] and layer["size"] == len(bundle), layer
        assert blob(host, "policies/authz", layer["digest"]) == bundle
        assert blob(host, "policies/authz", manifest["config"]["digest"]) == b"{}"
        # The digest follows from the bundle: by another tag, and pushed again.
        for reference in (f"{host}/policies/authz", f"{host}/elsewhere"):
            assert push(folder, reference, "--tag", "again")["digest"] == digest


def a_large_bundle_comes_back_too(folder):
    # Not one text, which may be long only so far.
    noise = [base64.b64encode(os.urandom(90_000)).decode() for _ in range(100)]
    (folder / "policies").mkdir()
    (folder / "policies/data.json").write_text(json.dumps({"noise": noise}))
    bundle = build(folder)
    assert len(bundle) > 8_000_000
    with registry(folder) as host:
        said = push(folder, f"{host}/large:v1")
        assert blob(host, "large", said["layer"]) == bundle


def credentials_are_those_of_docker(folder):
    build(folder)
    (folder / "htpasswd").write_text(HTPASSWD)
    with registry(folder, {"auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}}) as host:
        reference = f"{host}/policies/authz:v7"
        done = run(folder, "push", "authz.tar.gz", reference, check=False)
        assert done.returncode == 2 and f"docker login {host}" in done.stderr, done
        for password, code in (("another", 2), (PASSWORD, 0)):
            login = base64.b64encode(f"{USER}:{password}".encode()).decode()
            (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
            done = run(folder, "push", "authz.tar.gz", reference, check=False)
            assert done.returncode == code, done
            assert password not in done.stdout + done.stderr and login not in done.stdout + done.stderr, done
        (folder / "config.json").write_text("{")
        done = run(folder, "push", "authz.tar.gz", reference, check=False)
        assert done.returncode == 2 and "the Docker configuration" in done.stderr, done


def tls_is_not_left_away_unasked(folder):
    build(folder)
    with registry(folder) as host:
        done = run(folder, "push", "authz.tar.gz", f"{host}/authz:v7", "--plain-http=false", check=False)
        assert done.returncode == 2 and "--plain-http" in done.stderr, done


def a_registry_with_tls_is_trusted_by_its_issuer(folder):
    build(folder)
    certificate, key = certify(folder)
    with registry(folder, {"http": {"tls": {"certificate": str(certificate), "key": str(key)}}}) as host:
        push_it = ("push", "authz.tar.gz", f"{host}/authz:v7", "--plain-http=false")
        done = run(folder, *push_it, check=False)
        assert done.returncode == 2 and "certificate" in done.stderr, done
        done = run(folder, *push_it, SSL_CERT_FILE=str(certificate))
        assert done.stdout.startswith(f"{host}/authz@sha256:"), done


TESTS = [
    a_bundle_comes_back_as_it_was,
    a_large_bundle_comes_back_too,
    credentials_are_those_of_docker,
    tls_is_not_left_away_unasked,
    a_registry_with_tls_is_trusted_by_its_issuer,
]


def certify(folder):
    """A certificate for this machine that issued itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a registry of tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    return files


def build(folder):
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    (policies / "authz.rego").write_text("package envoy.authz\n\nallow := true\n")
    run(folder, "build", "policies", "-o", "authz.tar.gz", "--revision", "v7", "--sequence", "7")
    return (folder / "authz.tar.gz").read_bytes()


def push(folder, reference, *more):
    return json.loads(run(folder, "push", "authz.tar.gz", reference, "--format", "json", *more).stdout)


def run(folder, *arguments, check=True, **more):
    # Nobody's own credentials.
    environment = {**os.environ, "DOCKER_CONFIG": str(folder), **more}
    done = subprocess.run(
        [COMMAND, "bundle", *arguments], cwd=folder, env=environment, text=True, capture_output=True
    )
    assert not check or done.returncode == 0, done
    return done


@contextlib.contextmanager
def registry(folder, more=None):
    """One that holds nothing yet, by its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    more = more or {}
    configuration = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        **more,
        "http": {"addr": host, **more.get("http", {})},
    }
    scheme = "https" if "tls" in configuration["http"] else "http"
    # JSON is YAML.
    file = folder / "registry.yml"
    file.write_text(json.dumps(configuration))
    with open(folder / "registry.log", "w") as log:
        process = subprocess.Popen([PACKAGE, "serve", file], stdout=log, stderr=log)
    try:
        wait(f"{scheme}://{host}/v2/", process, folder / "registry.log")
        yield host
    finally:
        process.terminate()
        process.wait()


def wait(url, process, log):
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    for _ in range(150):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, context=anybody).close()
            return
        except urllib.error.HTTPError:
            return  # It wants credentials: it is there.
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(log.read_text())


def pull(host, name, tag, credentials=None):
    request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{tag}", headers={"accept": MANIFEST})
    if credentials is not None:
        login = base64.b64encode(":".join(credentials).encode()).decode()
        request.add_header("authorization", f"Basic {login}")
    with urllib.request.urlopen(request) as answer:
        content = answer.read()
        assert answer.headers["content-type"] == MANIFEST
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert answer.headers["docker-content-digest"] == digest
    return json.loads(content), digest


def blob(host, name, digest):
    with urllib.request.urlopen(f"http://{host}/v2/{name}/blobs/{digest}") as answer:
        content = answer.read()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
    return content


if __name__ == "__main__":
    main()
