"""A proxy in front of a registry that is not well, or that lists referrers where the one behind does not
(distribution-spec 1.1, "Listing Referrers")."""

import collections
import contextlib
import hashlib
import http.client
import http.server
import json
import threading

INDEX = "application/vnd.oci.image.index.v1+json"


@contextlib.contextmanager
def proxy(host, fault=None, times=0, lists_referrers=False, login=None, uses=0, rival=None, at=0):
    """Its address, and a count of what failed and of the tokens it gave. Each method and path fails so many times
    first: with a status, or "hang up". One that lists referrers knows those that are pushed through it. With a login
    it wants tokens, which it gives for that login, and each of which serves so many times. A rival has its turn
    before signatures are read the so-manieth time after they were first written."""
    failed, counted = collections.Counter(), collections.Counter()
    reads = {}
    referrers, left = collections.defaultdict(list), collections.Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self):
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                body = b"".join(iter(self.chunk, b""))
            else:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if login is not None and (wanted := self.want()):
                return self.answer(*wanted)
            if rival is not None and self.path.endswith(".sig"):
                if self.command == "PUT":
                    reads.setdefault(self.path, 0)
                elif self.path in reads:
                    reads[self.path] += 1
                    if reads[self.path] == at:
                        rival(self.path)
            what = (self.command, self.path.split("?")[0].rsplit("/uploads/")[0])
            # That one is asked for its challenge alone, whatever its status.
            if fault is not None and self.path != "/v2/" and failed[what] < times:
                failed[what] += 1
                counted["failed"] += 1
                if fault == "hang up":
                    self.close_connection = True
                    self.connection.close()
                    return
                return self.answer(fault, [], b"not now")
            if lists_referrers and "/referrers/" in self.path:
                listed = referrers[self.path.rsplit("/", 1)[1]]
                index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
                return self.answer(200, [("content-type", INDEX)], json.dumps(index).encode())
            self.learn(body)
            behind = http.client.HTTPConnection(host)
            # With the name that was asked for: the registry's answers then lead here again.
            headers = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
            headers["content-length"] = str(len(body))
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            content = answer.read()
            gone = ("content-length", "connection", "transfer-encoding")
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in gone]
            length = answer.getheader("content-length") if self.command == "HEAD" else None
            self.answer(answer.status, kept, content, length)

        def want(self):
            said = self.headers.get("authorization", "")
            if self.path.startswith("/token?"):
                if said != f"Basic {login}":
                    return 401, [], b"nobody knows you"
                counted["tokens"] += 1
                token = f"token-{counted['tokens']}"
                left[token] = uses
                return 200, [], json.dumps({"token": token}).encode()
            token = said.removeprefix("Bearer ")
            if left[token] > 0:
                left[token] -= 1
                return None
            realm = f"http://127.0.0.1:{server.server_address[1]}/token"
            return 401, [("www-authenticate", f'Bearer realm="{realm}",service="x"')], said.encode()

        def answer(self, status, headers, content, length=None):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-length", length or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def learn(self, body):
            if self.command != "PUT" or "/manifests/" not in self.path:
                return
            manifest = json.loads(body)
            if "subject" in manifest:
                descriptor = {
                    "mediaType": manifest["mediaType"], "artifactType": manifest["artifactType"],
                    "digest": f"sha256:{hashlib.sha256(body).hexdigest()}", "size": len(body),
                }
                referrers[manifest["subject"]["digest"]].append(descriptor)

        def chunk(self):
            size = int(self.rfile.readline(), 16)
            content = self.rfile.read(size)
            self.rfile.readline()
            return content

        def log_message(self, *_):
            pass

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = serve

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", counted
    finally:
        server.shutdown()
