"""Takes a request only where the gate has signed it. pip install http-message-signatures PyJWT"""

import re
import time
import urllib.parse

import http_message_signatures as hms
import jwt

TAG = "portcullis"
REQUIRED = ("@method", "@authority", "@path", "@query")
# What is read as a URL must not begin the path, or end the query, in its Host.
HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")


class Keys(hms.HTTPSignatureKeyResolver):
    def __init__(self, key_set):
        self.keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(key_set).keys}

    def resolve_public_key(self, key_id):
        return self.keys[key_id]


class Request:
    """What was signed, from a WSGI environment. One that has the raw target (RAW_URI) is better off with that."""

    def __init__(self, environ):
        path = environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"]
        target = environ.get("RAW_URI") or "{}?{}".format(
            urllib.parse.quote(path, "/:;=@!$&'()*+,~", "iso-8859-1"), environ["QUERY_STRING"]
        )
        host = environ["HTTP_HOST"]
        if not HOST.fullmatch(host) or not target.startswith("/") or "#" in target or "\\" in target:
            raise ValueError("the host or the target is none")
        self.method = environ["REQUEST_METHOD"]
        self.url = f"http://{host}{target}"
        names = (name for name in environ if name.startswith("HTTP_"))
        self.headers = {name[5:].replace("_", "-").lower(): environ[name] for name in names}


def vouched(environ, key_set):
    """The headers that the gate vouches for; None where it vouches for nothing."""
    verifier = hms.HTTPMessageVerifier(signature_algorithm=hms.algorithms.ED25519, key_resolver=Keys(key_set))
    try:
        [result] = verifier.verify(
            Request(environ), expect_tag=TAG, expect_label=TAG, require_components=REQUIRED
        )
    except (hms.HTTPMessageSignaturesException, KeyError, ValueError):
        return None
    # The verifier allows for clocks that differ.
    if result.parameters.get("expires", 0) < int(time.time()):
        return None
    covered = result.covered_components.items()
    return {name[1:-1]: value for name, value in covered if name[1] != "@" and name.endswith('"')}
