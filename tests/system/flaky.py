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
def proxy(host, fault=None, times=0, lists_referrers=False):
    """Its address, and a count of what failed. Each method and path fails so many times first: with a status, or
    "hang up". One that lists referrers knows those that are pushed through it."""
    failed, counted = collections.Counter(), collections.Counter()
    referrers = collections.defaultdict(list)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self):
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                body = b"".join(iter(self.chunk, b""))
            else:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
            what = (self.command, self.path.split("?")[0].rsplit("/uploads/")[0])
            if fault is not None and failed[what] < times:
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
