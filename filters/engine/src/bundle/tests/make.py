"""Makes the bundle in `others.rs`: nothing of it is ours but this. Python with PyJWT and cryptography.

    python make.py
"""

import base64
import gzip
import hashlib
import io
import json
import tarfile

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DATA = '{"z": [1.50, -0, 1e2, 12345678901234567890], "a\\u00e9": "\\u2028 <&> \\b\\f\\u0001 \\ud83d\\ude00", "B": {"y": null, "x": true}}'
FILES = {
    "data.json": DATA,
    "a/long/" + "path/" * 25 + "data.json": '{"b":1,"a":2}',
    ".manifest": '{"revision": "py", "metadata": {"portcullis": {"sequence": 1}}}',
    "authz/p.rego": "package authz\n\nallow := true\n",
}


class Number(str):
    """As it is written."""


def canonical(value):
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode())
        return "{" + ",".join(f"{text(name)}:{canonical(own)}" for name, own in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    return text(value) if isinstance(value, str) else json.dumps(value)


def text(value):
    written = json.dumps(value, ensure_ascii=False)
    return written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def digest(name, content):
    if name.endswith("data.json") or name == ".manifest":
        content = canonical(json.loads(content, parse_int=Number, parse_float=Number))
    return hashlib.sha512(content.encode()).hexdigest()


def main():
    key = ec.generate_private_key(ec.SECP256R1())
    files = [{"name": name, "hash": digest(name, content), "algorithm": "SHA-512"} for name, content in FILES.items()]
    claims = {"files": files, "scope": "write", "iat": 1795737600}
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "python"})
    packed = io.BytesIO()
    with gzip.GzipFile(filename="bundle.tar", fileobj=packed, mode="wb", mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tape:
            for name, content in {**FILES, ".signatures.json": json.dumps({"signatures": [token]})}.items():
                info = tarfile.TarInfo("./" + name)
                info.size = len(content.encode())
                tape.addfile(info, io.BytesIO(content.encode()))
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    print(f'const PYTHONS_KEY: &str = "{pem}";\n')
    print('const PYTHONS: &str = "\\')
    encoded = base64.b64encode(packed.getvalue()).decode()
    for at in range(0, len(encoded), 100):
        print(encoded[at : at + 100] + "\\")
    print('";')


main()
