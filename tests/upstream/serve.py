"""A WSGI service behind the gate, for tests/upstream.rs: it tells what the gate vouches for, and refuses what it does not."""

import json
import sys
import wsgiref.simple_server

sys.path.insert(0, sys.argv[1])
import verify


def service(environ, start_response):
    with open(sys.argv[2]) as file:
        vouched = verify.vouched(environ, json.load(file))
    start_response("401 Unauthorized" if vouched is None else "200 OK", [("content-type", "application/json")])
    shown = {name: environ.get(name) for name in ("HTTP_SIGNATURE", "HTTP_SIGNATURE_INPUT", "HTTP_X_USER", "HTTP_X_CLIENT")}
    return [json.dumps({"vouched": vouched, "environ": shown}).encode()]


server = wsgiref.simple_server.make_server("127.0.0.1", 0, service)
print(server.server_port, flush=True)
server.serve_forever()
