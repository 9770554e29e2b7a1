"""Makes and verifies bundles as OPA's documentation has them (https://www.openpolicyagent.org/docs/management-bundles),
with Python's own tar, JSON and hashes and with PyJWT: an order of JSON in, an answer of JSON out."""

import io
import json
import pathlib
import sys
import tarfile

import jwt

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "minter"))
import opa_bundle  # noqa: E402

SIGNATURES = ".signatures.json"


def main():
    order = json.load(sys.stdin)
    answer = {"build": build, "verify": verify}[order.pop("do")](**order)
    json.dump(answer, sys.stdout)


def build(bundle, files, key, algorithm, key_id, scope):
    """Writes a bundle of these files, by their names without a leading slash, and signs it."""
    contents = {name: text.encode() for name, text in files.items()}
    claims = {
        "files": [
            {"name": name, "hash": digest(name, content), "algorithm": "SHA-256"}
            for name, content in contents.items()
        ],
        "scope": scope,
        "iss": "opa.py",
    }
    token = jwt.encode(claims, read_key(key), algorithm, {"kid": key_id})
    contents[SIGNATURES] = json.dumps({"signatures": [token]}).encode()
    with tarfile.open(bundle, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo("/" + name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return {"files": len(contents)}


def verify(bundle, key, algorithm, key_id, scope):
    """Raises where something is not what was signed; else what there is."""
    packed = pathlib.Path(bundle).read_bytes()
    contents, headers = {}, []
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for entry in archive:
            assert entry.isfile() and entry.name.startswith("/"), entry.name
            contents[entry.name[1:]] = archive.extractfile(entry).read()
            headers.append([entry.name, entry.mode, entry.uid, entry.gid, entry.mtime, entry.uname, entry.gname])
    [token] = json.loads(contents.pop(SIGNATURES))["signatures"]
    header = jwt.get_unverified_header(token)
    assert header == {"alg": algorithm, "kid": key_id}, header
    claims = jwt.decode(token, read_key(key), [algorithm])
    assert claims.get("scope") == scope, claims
    signed = {file["name"]: file for file in claims.pop("files")}
    assert signed.keys() == contents.keys(), signed
    for name, content in contents.items():
        assert signed[name]["algorithm"] == "SHA-256", name
        assert signed[name]["hash"] == digest(name, content), name
    texts = {name: content.decode() for name, content in contents.items()}
    return {"files": texts, "claims": claims, "headers": headers, "gzip": list(packed[:10])}


def digest(name, content):
    return opa_bundle.digest(name, content, "SHA-256")


def read_key(key):
    path = pathlib.Path(key)
    return path.read_bytes().rstrip(b"\n")


main()
