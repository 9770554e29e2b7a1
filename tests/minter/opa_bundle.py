"""Makes and reads OPA bundles with Python's own libraries and PyJWT, by OPA's documentation ("Bundle File
Format", "Signing") and `v1/bundle/{bundle,hash,verify}.go`: what this makes the gate must take, and what
the command makes this must take."""

import gzip
import hashlib
import io
import json
import posixpath
import tarfile

import jwt

STRUCTURED = {"data.json", ".manifest"}
HASHES = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512", "SHA-1": "sha1", "MD5": "md5"}


class Number(str):
    """A number as it was written."""


def parsed(content):
    return json.loads(content, parse_int=Number, parse_float=Number)


def canonical(value):
    """What is hashed of a structured file: members sorted, numbers as they were written."""
    if isinstance(value, dict):
        members = (f"{text(key)}:{canonical(value[key])}" for key in sorted(value, key=str.encode))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    return text(value)


def text(value):
    """As Go's encoding/json writes it, without its escapes for HTML."""
    written = json.dumps(value, ensure_ascii=False)
    return written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x7f", "\x7f")


def digest(name, content, algorithm):
    if posixpath.basename(name) in STRUCTURED:
        content = canonical(parsed(content)).encode()
    return hashlib.new(HASHES[algorithm], content).hexdigest()


def signature(files, key, algorithm, key_id, scope="", hash="SHA-256", claims=None, header=None):
    listed = [
        {"name": name, "hash": digest(name, content, hash), "algorithm": hash}
        for name, content in sorted(files.items())
    ]
    claims = {"files": listed, "scope": scope, **(claims or {})}
    header = {"kid": key_id, **(header or {})}
    token = jwt.encode(claims, key, algorithm, {name: it for name, it in header.items() if it is not None})
    return json.dumps({"signatures": [token]}).encode()


def archive(files, entries=(), prefix="/"):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(prefix + name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
        for odd in entries:
            entry = tarfile.TarInfo(odd["name"])
            entry.type = getattr(tarfile, odd.get("type", "REGTYPE"))
            entry.linkname = odd.get("link", "")
            content = odd.get("content", "").encode()
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def built(order):
    """`files` by name, `manifest`, how it is `signed`, what is `changed` after that, further `entries`."""
    files = {name: content.encode() for name, content in order["files"].items()}
    if order.get("manifest") is not None:
        files[".manifest"] = json.dumps(order["manifest"]).encode()
    signed = order.get("signed")
    if signed:
        key = bytes.fromhex(signed["secret"]) if "secret" in signed else signed["pem"]
        options = {name: signed[name] for name in ("scope", "hash", "claims", "header") if name in signed}
        files[".signatures.json"] = signature(files, key, signed["algorithm"], signed["id"], **options)
    for name, content in order.get("changed", {}).items():
        if content is None:
            del files[name]
        else:
            files[name] = content.encode()
    packed = archive(files, order.get("entries", ()), order.get("prefix", "/"))
    return packed[: len(packed) - order.get("cut", 0)]


def read(packed):
    """The files of a bundle by name."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        return {
            entry.name.removeprefix("/"): tar.extractfile(entry).read() for entry in tar if entry.isreg()
        }


def verified(packed, key, algorithms, scope=""):
    """The files of a bundle whose signature holds over all of them; else an error."""
    files = read(packed)
    [token] = json.loads(files.pop(".signatures.json"))["signatures"]
    claims = jwt.decode(token, key, algorithms=algorithms)
    if claims.get("scope", "") != scope:
        raise ValueError("another scope")
    listed = {entry["name"]: entry for entry in claims["files"]}
    if listed.keys() != files.keys():
        raise ValueError(f"signed are {sorted(listed)}, there are {sorted(files)}")
    for name, content in files.items():
        if digest(name, content, listed[name]["algorithm"]) != listed[name]["hash"]:
            raise ValueError(f"{name}: another digest")
    return files
