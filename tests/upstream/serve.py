"""A WSGI service behind the gate, for tests/upstream.rs: it tells what the gate vouches for, and refuses what it does not."""

import json
import sys
import time
import wsgiref.simple_server
import wsgiref.util

sys.path.insert(0, sys.argv[1])
import verify


clock = time.time


def service(environ, start_response):
    skew = int(environ.get("HTTP_X_SKEW", "0"))
    time.time = lambda: clock() + skew
    if environ["PATH_INFO"].startswith("/mounted/"):
        wsgiref.util.shift_path_info(environ)
    with open(sys.argv[2]) as file:
        vouched = verify.vouched(environ, json.load(file))
    start_response("401 Unauthorized" if vouched is None else "200 OK", [("content-type", "application/json")])
    shown = {name: environ.get(name) for name in ("HTTP_X_USER", "HTTP_X_CLIENT")}
    proof = [environ.get("HTTP_SIGNATURE_INPUT"), environ.get("HTTP_SIGNATURE")]
    return [json.dumps({"vouched": vouched, "environ": shown, "proof": proof}).encode()]


server = wsgiref.simple_server.make_server("127.0.0.1", 0, service)
print(server.server_port, flush=True)
server.serve_forever()
