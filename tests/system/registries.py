"""What the tests with a real registry, Debian's `docker-registry`, share: one to start, what it serves, and
the run of the tests themselves."""

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


def run_all(tests, *programs, why=None):
    """Each in a folder of its own. Without what they need they are skipped, which is said, and a failure in CI."""
    why = why or missing(programs)
    if why and os.environ.get("CI") == "true":
        sys.exit(f"test-system: {why}")
    if why:
        print(f"test-system: 0 passed, {len(tests)} skipped: {why}")
        return
    for test in tests:
        with tempfile.TemporaryDirectory(prefix="portcullis-system-") as folder:
            test(pathlib.Path(folder))
        print(f"test-system: {test.__name__} ... ok", flush=True)
    print(f"test-system: {len(tests)} passed, 0 skipped")


def missing(programs):
    if x509 is None:
        return "cryptography is not in .venv, where tests/setup.py puts it"
    for program in (PACKAGE, *programs):
        if shutil.which(program) is None:
            return f"there is no {program}: tests/system/install.sh installs it, as root"
    return None


def command(folder, *arguments, check=True, **more):
    # Nobody's own credentials.
    environment = {**os.environ, "DOCKER_CONFIG": str(folder), **more}
    done = subprocess.run([COMMAND, *arguments], cwd=folder, env=environment, text=True, capture_output=True)
    assert not check or done.returncode == 0, done
    return done


def log_in(folder, host, password):
    login = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
    return login


def with_credentials(folder):
    """A registry's configuration that asks for them."""
    (folder / "htpasswd").write_text(HTPASSWD)
    return {"auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}}


def with_tls(folder):
    """A registry's configuration, and the certificate to trust."""
    certificate, key = certify(folder)
    return {"http": {"tls": {"certificate": str(certificate), "key": str(key)}}}, certificate


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


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


@contextlib.contextmanager
def registry(folder, more=None):
    """One that holds nothing yet, by its address."""
    host = free_address()
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
