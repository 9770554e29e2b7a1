"""A gate that has everything a metric is of: a bundle with a signature, keys that are fetched, opaque tokens,
signatures that are remembered, a candidate beside the policy, a decision log; and the servers that it asks,
all on loopback."""

import gzip
import http.server
import json
import pathlib
import re
import socket
import subprocess
import textwrap
import threading

import demo

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTNER = "https://login.partner.example"
OPAQUE = "https://as.example.com"

# It refuses whom the policy allows, and allows what the policy refuses.
CANDIDATE = """package envoy.authz

default allow := false

allow if input.attributes.request.http.method == "DELETE"
"""

CLUSTER = """    - name: NAME
      connect_timeout: 1s
      load_assignment:
        cluster_name: NAME
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: PORT}}}
"""


def start(running, folder):
    return Gates(running, folder)


class Gates:
    def __init__(self, running, folder):
        self.folder = folder
        self.credentials = demo.Credentials(folder)
        self.servers = running.enter_context(Servers())
        self.servers.answers["/jwks.json"] = json.dumps(self.credentials.jwks).encode()
        token = {"active": True, "iss": OPAQUE, "aud": "orders", "sub": "bob"}
        self.servers.answers["/introspect"] = json.dumps(token).encode()
        self.publish("v1", 1)
        upstream = running.enter_context(demo.Upstream())
        self.gate = demo.start_envoy(running, folder, self.credentials, upstream.port, self.shape)
        self.admin = self.gate.admin
        # What Prometheus may reach.
        self.page = f"127.0.0.1:{demo.listener(self.admin, 'metrics')}"
        self.gate.wait(self.has_its_bundle)
        # What else is known to the last one: an expression, and its number.
        self.counted = {
            'portcullis_api_key_uses{key_id="acme-2026-11"}': 2,
            "portcullis_policy_ready": 2,
            "portcullis_policy_waiting": 0,
            'portcullis_policy_workers{revision="v1"}': 2,
            "portcullis_bundle_activations": 2,
            "portcullis_bundle_order": 1,
            "portcullis_introspection_calls": 1,
            "portcullis_introspection_failures": 0,
            "portcullis_requests_waiting": 0,
            "sum(portcullis_decision_log_dropped)": 0,
        }
        self.differences = {"would_allow": 1, "would_deny": 6}

    def shape(self, text):
        """envoy/envoy.yaml with the servers, and the gate's configuration with all that asks them."""
        lines = text.splitlines(keepends=True)
        [at] = [at for at, line in enumerate(lines) if line.lstrip().startswith("{")]
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        lines[at] = indent + json.dumps(self.configuration(json.loads(lines[at]))) + "\n"
        text = "".join(lines)
        admin = free_port()
        # The admin's address comes first.
        text = text.replace("port_value: 0", f"port_value: {admin}", 1)
        for found, put in (
            ("stats_config:\n", "stats_flush_interval: 1s\nstats_config:\n"),
            ("  clusters:\n", f"{page_for_prometheus()}\n  clusters:\n"),
        ):
            assert text.count(found) == 1, found
            text = text.replace(found, put)
        for name, port in (("servers", self.servers.port), ("admin", admin)):
            text += CLUSTER.replace("NAME", name).replace("PORT", str(port))
        return text

    def configuration(self, document):
        def server(path):
            return {"cluster": "servers", "authority": "servers.internal", "path": path}

        public = (ROOT / "tests/bundles/ci.pub.pem").read_text()
        document["policy"] = {
            "bundle": {
                **server("/authz.tar.gz"),
                "poll": {"min": "1s", "max": "1s"},
                "verification": {"keys": {"ci": {"algorithm": "ES256", "key": public}}, "scope": "write"},
            },
            "candidate": {"modules": {"candidate.rego": CANDIDATE}, "enforce": {"share": 0.0001}},
            "self_check": 1.0,
        }
        document["jwt"]["providers"]["partner"] = {
            "issuer": PARTNER,
            "audiences": ["orders"],
            "jwks": server("/jwks.json"),
        }
        document["jwt"]["providers"]["opaque"] = {
            "issuer": OPAQUE,
            "audiences": ["orders"],
            "from": [{"header": "x-access-token"}],
            "introspection": {
                **server("/introspect"),
                "client_id": "gate",
                # One that the gate's environment has.
                "client_secret": {"env": "PORTCULLIS_BILLING_KEY"},
            },
        }
        document["decision_log"] = {**server("/logs"), "interval": "1s"}
        return document

    def has_its_bundle(self):
        page = demo.ask(self.admin, "/stats?filter=portcullis.policy.ready")
        return True if page.endswith(": 2") else None

    def publish(self, revision, sequence, signed=True):
        bundle = self.folder / f"{revision}.tar.gz"
        options = ["-o", bundle, "--revision", revision, "--sequence", str(sequence)]
        if signed:
            options += ["--signing-key", ROOT / "tests/bundles/ci.pem", "--key-id", "ci", "--scope", "write"]
        build = [demo.COMMAND, "bundle", "build", ROOT / "policies/rbac", *options]
        subprocess.run(build, check=True, capture_output=True)
        self.servers.answers["/authz.tar.gz"] = bundle.read_bytes()

    def events(self):
        """What the collector has."""
        batches = list(self.servers.batches)
        return [event for batch in batches for event in json.loads(gzip.decompress(batch))]

    def publish_unsigned(self):
        self.publish("v2", 2, signed=False)

    def cases(self):
        """The demonstration's, and one for each that is asked elsewhere."""
        claims = ["--issuer", PARTNER, "--audience", "orders", "--subject", "alice"]
        partner = demo.bearer(demo.run("token", "--key", self.credentials.file, *claims).strip())
        return [
            *demo.cases(self.credentials, self.gate.port),
            demo.Case("a partner's token", ("GET", "/orders/7", [partner]), 403, "policy.denied"),
            self.opaque("of-bob"),
        ]

    def opaque(self, token):
        return demo.Case("an opaque token", ("GET", "/orders/7", [("x-access-token", token)]), 401, "policy.denied")

    def introspection_fails(self, send):
        """How many were refused for it."""
        self.servers.answers["/introspect"] = None
        statuses = [send(self.gate.port, self.opaque(f"token-{number}")) for number in range(60)]
        return statuses.count(503)


def page_for_prometheus():
    """The listener of envoy/monitoring's page, on a free port of loopback."""
    page = (ROOT / "envoy/monitoring/README.md").read_text()
    [block] = re.findall(r" +```yaml\n( +name: metrics\n.*?)\n +```", page, re.DOTALL)
    lines = textwrap.dedent(block).splitlines()
    assert "0.0.0.0, port_value: 9902" in lines[1], lines[1]
    lines[1] = lines[1].replace("0.0.0.0, port_value: 9902", "127.0.0.1, port_value: 0")
    return "\n".join(("    - " if at == 0 else "      ") + line for at, line in enumerate(lines))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Servers:
    """All that the gate asks, at one address. What has no answer is a 500."""

    def __init__(self):
        self.answers = {}
        # Batches of events, as they came.
        self.batches = []
        servers = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path == "/logs":
                    servers.batches.append(body)
                    return self.reply(200, b"{}")
                answer = servers.answers.get(self.path)
                return self.reply(200 if answer else 500, answer or b"")

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

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
