"""Signs tokens with PyJWT, and requests with http-message-signatures, for the scenario runner, and verifies
what the gate signs: one JSON order a line in, one answer a line out."""

import base64
import datetime
import functools
import hashlib
import hmac
import json
import sys
import time

import http_message_signatures as hms
import http_sf
import jwt
import opa_bundle

SIGNATURES = {
    algorithm.algorithm_id: algorithm
    for algorithm in vars(hms.algorithms).values()
    if hasattr(algorithm, "algorithm_id")
}
# Of ECDSA's groups: SEC 2, sections 2.4.2 and 2.5.1.
ORDERS = {
    "ecdsa-p256-sha256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ecdsa-p384-sha384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
# By key and signature base, the last of each.
SIGNED = {}
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def mint(order):
    if "hello" in order:
        # Without cryptography PyJWT knows only HMAC.
        return {"ready": "RS256" in jwt.algorithms.get_default_algorithms()}
    if "verify" in order:
        return {"signature": verify_request, "token": verify_token}[order["verify"]](order)
    if "request" in order:
        return sign_request(order)
    if "bundle" in order:
        return {"bundle": base64.b64encode(opa_bundle.built(order["bundle"])).decode()}
    if "mac" in order:
        return {"mac": mac(**order["mac"])}
    algorithm = order["algorithm"]
    key = bytes.fromhex(order["secret"]) if "secret" in order else loaded(algorithm, order["pem"])
    if "claims" in order:
        header = {"typ": None, **order["header"]}
        return {"token": jwt.encode(order["claims"], key, algorithm, header)}
    text = ".".join(segment(order[name]) for name in ("header_text", "payload_text"))
    return {"token": f"{text}.{encode(sign(algorithm, key, text.encode()))}"}


# Checking an RSA key takes longer than signing with it.
@functools.cache
def loaded(algorithm, pem):
    return jwt.get_algorithm_by_name(algorithm).prepare_key(pem)


def sign(algorithm, key, message):
    # By hand for HMAC: PyJWT refuses a PEM as a secret, and a scenario needs just that forgery.
    if algorithm in HASHES:
        return hmac.new(key, message, HASHES[algorithm]).digest()
    signer = jwt.get_algorithm_by_name(algorithm)
    return signer.sign(message, signer.prepare_key(key))


def mac(hash, key, message):
    return hmac.new(bytes.fromhex(key), bytes.fromhex(message), hash).hexdigest()


def sign_request(order):
    request = Request(**order["request"])
    signer = hms.HTTPMessageSigner(
        signature_algorithm=SIGNATURES[order["algorithm"]],
        key_resolver=Resolver(order),
    )
    prepared = signer.prepare(
        request,
        key_id=order["keyid"],
        created=moment(order["created"]),
        expires=moment(order["expires"]),
        nonce=order["nonce"],
        tag=order["tag"],
        label=order["label"],
        include_alg=order["alg"],
        covered_component_ids=[quoted(text) for text in order["components"]],
        use_existing_digest=any(name == "content-digest" for name, _ in order["request"]["headers"]),
    )
    algorithm = signer.signature_algorithm(private_key=signer.key_resolver.resolve_private_key(order["keyid"]))
    made = twin(order, prepared.signature_base) if order["twin"] else algorithm.sign(prepared.signature_base)
    SIGNED[order.get("pem"), prepared.signature_base] = made
    signer.apply(request, prepared, made)
    return {
        "signature_input": request.headers["Signature-Input"],
        "signature": request.headers["Signature"],
    }


def twin(order, base):
    """Of (r, s), which was made before, (r, -s): it needs no private key."""
    made = SIGNED[order["pem"], base]
    half = len(made) // 2
    negated = ORDERS[order["algorithm"]] - int.from_bytes(made[half:], "big")
    return made[:half] + negated.to_bytes(half, "big")


# What was seen is judged when all of it was seen, which may be after it has expired.
PATIENCE = datetime.timedelta(hours=1)


class Verifier(hms.HTTPMessageVerifier):
    max_clock_skew = PATIENCE


def is_recent(seconds):
    return -5 <= time.time() - seconds <= PATIENCE.total_seconds()


def verify_request(order):
    request = Request(**order["request"])
    verifier = Verifier(
        signature_algorithm=SIGNATURES[order["algorithm"]], key_resolver=Resolver(order["key"])
    )
    label = order["label"]
    [result] = verifier.verify(request, expect_tag=label, expect_label=label)
    parameters = result.parameters
    signatures = http_sf.parse(request.headers["Signature"].encode(), tltype="dictionary")
    return {
        "components": [bare(name) for name in result.covered_components if name != '"@signature-params"'],
        "keyid": parameters["keyid"],
        "tag": parameters["tag"],
        "recent": is_recent(parameters["created"]),
        "lifetime": parameters["expires"] - parameters["created"],
        "labels": list(signatures),
    }


def verify_token(order):
    key = order["key"]
    key = bytes.fromhex(key["secret"]) if "secret" in key else key["pem"]
    claims = jwt.decode(
        order["token"],
        key,
        algorithms=[order["algorithm"]],
        issuer=order["issuer"],
        audience=order["audience"],
        leeway=PATIENCE,
        options={"require": ["exp", "iat", "iss", "aud", "jti"]},
    )
    header = jwt.get_unverified_header(order["token"])
    return {"header": header, "claims": claims, "recent": is_recent(claims["iat"])}


def bare(component):
    return component[1:-1] if component.count('"') == 2 and component.endswith('"') else component


def moment(seconds):
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def quoted(component):
    return component if component.startswith('"') else f'"{component}"'


class Resolver(hms.HTTPSignatureKeyResolver):
    def __init__(self, order):
        self.key = bytes.fromhex(order["secret"]) if "secret" in order else order["pem"].encode()

    def resolve_private_key(self, key_id):
        return self.key

    resolve_public_key = resolve_private_key


class Request:
    def __init__(self, method, url, headers):
        self.method, self.url, self.headers = method, url, Lines(headers)


class Lines:
    """Header lines in order, as the library asks for them."""

    def __init__(self, lines):
        self.lines = [tuple(line) for line in lines]

    def items(self):
        return list(self.lines)

    def __iter__(self):
        return iter(dict(self.lines))

    def __contains__(self, name):
        return any(found.lower() == name.lower() for found, _ in self.lines)

    def __getitem__(self, name):
        return next(value for found, value in self.lines if found.lower() == name.lower())

    def __setitem__(self, name, value):
        del self[name]
        self.lines.append((name, value))

    def __delitem__(self, name):
        self.lines = [line for line in self.lines if line[0].lower() != name.lower()]


def segment(text):
    return encode(text.encode())


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


for line in sys.stdin:
    try:
        answer = mint(json.loads(line))
    except Exception as error:  # An order that cannot be met is the scenario's fault, not the end.
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
