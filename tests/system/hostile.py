"""A registry that is no friend: it asks for credentials, and sends whoever has them to a token service that speaks
plain HTTP."""

import contextlib
import http.server
import ssl
import threading


@contextlib.contextmanager
def registry(token, tls=None):
    """Its address, and what came to its token service, which answers with these pieces. With a certificate and its
    key the registry itself speaks TLS."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def serve(self):
            if not self.path.startswith("/token"):
                self.send_response_only(401)
                self.send_header("www-authenticate", f'Bearer realm="http://{address(service)}/token",service="x"')
                return self.end_headers()
            seen.append(self.headers.get("authorization"))
            self.send_response_only(200)
            self.end_headers()
            # Whoever has enough hangs up.
            with contextlib.suppress(OSError):
                for piece in token:
                    self.wfile.write(piece)

        def log_message(self, *_):
            pass

        do_GET = do_HEAD = do_POST = do_PUT = serve

    front, service = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        front.socket = context.wrap_socket(front.socket, server_side=True)
    for server in (front, service):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address(front), seen
    finally:
        for server in (front, service):
            server.shutdown()


def address(server):
    return f"127.0.0.1:{server.server_address[1]}"
