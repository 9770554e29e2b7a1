"""Images for tests, and what others do with them: Istio's rules, cosign's specification, and whoever can push."""

import base64
import hashlib
import io
import json
import os
import pathlib
import re
import tarfile
import urllib.error
import urllib.request

from registries import CONFIGURATION, LAYER, MANIFEST, blob, command

try:
    import nacl.secret
    import oras.client
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    WHY = None
except ImportError as error:
    WHY = f"{error.name} is not in .venv, where tests/setup.py puts it"

INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
WASM = "application/vnd.module.wasm.content.layer.v1+wasm"
ABOUT = "application/vnd.module.wasm.config.v1+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
PASSPHRASE = "of a test only"
BOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
# The least that an Envoy loads: memory, an ABI, an allocator.
SMALL = bytes.fromhex(
    "0061736d0100000001090260000060017f017f03030200010503010001072d03066d656d6f727902001770726f78795f6162"
    "695f76657273696f6e5f305f325f310000066d616c6c6f6300010a090202000b040041000b"
)


def image(folder, *arguments, **more):
    return command(folder, "image", *arguments, **more)


def small(folder):
    (folder / "small.wasm").write_bytes(SMALL)
    (folder / "bom.json").write_text(json.dumps(BOM))
    return folder / "small.wasm"


def push(folder, reference, module, *more):
    return json.loads(image(folder, "push", reference, "--wasm", str(module), *more, "--format", "json").stdout)


def signed(folder, host, name="gate"):
    """An image with an SBOM and a provenance, which one key signed."""
    keys(folder)
    made = push(folder, f"{host}/{name}:v1", small(folder), "--sbom", "bom.json")
    assert [it["kind"] for it in made["attached"]] == ["SBOM", "provenance"], made
    image(folder, "sign", f"{host}/{name}:v1", "--key", "p256.pem")
    verified(folder, f"{host}/{name}:v1")
    return made


def verified(folder, reference, *more, key="p256.pub"):
    return json.loads(image(folder, "verify", reference, "--key", key, *more, "--format", "json").stdout)


def refused(folder, reference, wanted, *more, key="p256.pub"):
    """In one line, and so is whoever would pull it: nothing is written then."""
    for command_line in (("verify", reference), ("pull", reference, "-o", "refused.wasm")):
        done = image(folder, *command_line, "--key", key, *more, check=False)
        assert done.returncode == 1 and done.stdout == "", (wanted, done)
        assert wanted in done.stderr and done.stderr.count("\n") == 1, (wanted, done)
    assert not (folder / "refused.wasm").exists()


def istio_takes(manifest, read):
    """The module, as Istio's fetcher finds it (pkg/wasm/imagefetcher.go), or an assertion that fails."""
    layers = manifest["layers"]
    if manifest["mediaType"] == DOCKER:
        assert layers and layers[-1]["mediaType"] == DOCKER_LAYER, manifest
        return plugin(read(layers[-1]["digest"]))
    assert manifest["mediaType"] == MANIFEST, manifest
    if layers and layers[-1]["mediaType"] == LAYER:
        return plugin(read(layers[-1]["digest"]))
    assert len(layers) == 2 and {it["mediaType"] for it in layers} == {WASM, ABOUT}, manifest
    [module] = [it for it in layers if it["mediaType"] == WASM]
    return read(module["digest"])


def plugin(layer):
    with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as archive:
        for member in archive:
            if pathlib.PurePath(member.name).name == "plugin.wasm":
                return archive.extractfile(member).read()
    raise AssertionError("no plugin.wasm")


def keys(folder):
    """Of each kind, with the public one beside it; and one that nobody signs with."""
    made = {
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "locked": ec.generate_private_key(ec.SECP256R1()),
        "other": ec.generate_private_key(ec.SECP256R1()),
    }
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    for name, key in made.items():
        private = key.private_bytes(pem, pkcs8, plain)
        if name == "locked":
            private = lock(key.private_bytes(der, pkcs8, plain))
        (folder / f"{name}.pem").write_bytes(private)
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)
    return [name for name in made if name != "other"]


def lock(der):
    """As `cosign generate-key-pair` writes a key."""
    salt, params = os.urandom(32), {"N": 32768, "r": 8, "p": 1}
    key = hashlib.scrypt(PASSPHRASE.encode(), salt=salt, n=32768, r=8, p=1, dklen=32, maxmem=2**26)
    nonce = os.urandom(24)
    text = lambda content: base64.b64encode(content).decode()
    envelope = {
        "kdf": {"name": "scrypt", "params": params, "salt": text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": text(nonce)},
        "ciphertext": text(nacl.secret.SecretBox(key).encrypt(der, nonce).ciphertext),
    }
    lines = re.findall(".{1,64}", text(json.dumps(envelope).encode()))
    label = "ENCRYPTED COSIGN PRIVATE KEY"
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def by_the_specification(folder, host, name, digest, key):
    """Whether a signature holds as cosign looks at it (sigstore's specs/SIGNATURE_SPEC.md), by code and
    arithmetic that are not this project's."""
    key = serialization.load_pem_public_key((folder / key).read_bytes())
    signatures = fetch(host, name, f"{tag(digest)}.sig", MANIFEST)
    assert signatures["config"]["mediaType"] == CONFIGURATION, signatures
    config = json.loads(blob(host, name, signatures["config"]["digest"]))
    layers = signatures["layers"]
    if config:
        assert config["rootfs"]["diff_ids"] == [it["digest"] for it in layers], config
    for layer in layers:
        assert layer["mediaType"] == SIMPLE, layer
        payload = blob(host, name, layer["digest"])
        signature = base64.b64decode(layer["annotations"][SIGNATURE], validate=True)
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, payload)
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())
            else:
                key.verify(signature, payload, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        critical = json.loads(payload)["critical"]
        assert critical == {
            "identity": {"docker-reference": f"{host}/{name}"},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        }, critical
        return True
    return False


def by_hand(folder, host, name, digest):
    """A signature of a manifest, whatever it is."""
    payload = json.dumps({
        "critical": {
            "identity": {"docker-reference": f"{host}/{name}"},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": None,
    }).encode()
    key = serialization.load_pem_private_key((folder / "p256.pem").read_bytes(), None)
    signature = base64.b64encode(key.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
    layer = {**upload(host, name, payload, SIMPLE), "annotations": {SIGNATURE: signature}}
    config = upload(host, name, b"{}", CONFIGURATION)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    put(host, name, f"{tag(digest)}.sig", manifest)


def tar(*files, extended=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.pax_headers = extended or {}
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tag(digest):
    return digest.replace(":", "-")


def on_disk(folder, digest):
    value = digest.removeprefix("sha256:")
    return folder / "storage/docker/registry/v2/blobs/sha256" / value[:2] / value / "data"


def fetch(host, name, reference, kind):
    return json.loads(read(host, name, reference, kind))


def read(host, name, reference, kind):
    request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{reference}", headers={"accept": kind})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def status(host, name, reference):
    try:
        fetch(host, name, reference, f"{INDEX}, {MANIFEST}")
        return 200
    except urllib.error.HTTPError as error:
        return error.code


def upload(host, name, content, kind):
    """A blob, as a client that trusts nobody would push it; its descriptor."""
    digest = sha256(content)
    start = urllib.request.Request(f"http://{host}/v2/{name}/blobs/uploads/", data=b"", method="POST")
    with urllib.request.urlopen(start) as answer:
        place = answer.headers["location"]
    place = place if place.startswith("http") else f"http://{host}{place}"
    url = f"{place}{'&' if '?' in place else '?'}digest={digest}"
    kinds = {"content-type": "application/octet-stream"}
    urllib.request.urlopen(urllib.request.Request(url, data=content, method="PUT", headers=kinds)).close()
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def put(host, name, reference, manifest, kind=MANIFEST):
    """A manifest, by a tag or by its digest; its digest and its size."""
    content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    digest = sha256(content)
    url = f"http://{host}/v2/{name}/manifests/{reference or digest}"
    request = urllib.request.Request(url, data=content, method="PUT", headers={"content-type": kind})
    urllib.request.urlopen(request).close()
    return digest, len(content)


def oras_reads(reference):
    """The manifest that oras finds, and how it reads blobs."""
    client = oras.client.OrasClient(insecure=True, tls_verify=False)
    container = client.get_container(reference)
    return client.get_manifest(container), lambda digest: client.get_blob(container, digest).content
