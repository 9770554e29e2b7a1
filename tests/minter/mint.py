"""Signs tokens with PyJWT for the scenario runner: one JSON order a line in, one answer a line out."""

import base64
import hashlib
import hmac
import json
import sys

import jwt

HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def mint(order):
    if "hello" in order:
        # Without cryptography PyJWT knows only HMAC.
        return {"ready": "RS256" in jwt.algorithms.get_default_algorithms()}
    algorithm = order["algorithm"]
    key = bytes.fromhex(order["secret"]) if "secret" in order else order["pem"]
    if "claims" in order:
        header = {"typ": None, **order["header"]}
        return {"token": jwt.encode(order["claims"], key, algorithm, header)}
    text = ".".join(segment(order[name]) for name in ("header_text", "payload_text"))
    return {"token": f"{text}.{encode(sign(algorithm, key, text.encode()))}"}


def sign(algorithm, key, message):
    # By hand for HMAC: PyJWT refuses a PEM as a secret, and a scenario needs just that forgery.
    if algorithm in HASHES:
        return hmac.new(key, message, HASHES[algorithm]).digest()
    signer = jwt.get_algorithm_by_name(algorithm)
    return signer.sign(message, signer.prepare_key(key))


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
