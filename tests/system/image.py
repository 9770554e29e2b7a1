#!/usr/bin/env python3
"""Images of the module in a real registry, Debian's `docker-registry`: pulled by skopeo and oras, held
against Istio's own rules, signed and verified, and changed on the registry's disk and by pushing. cosign comes
from no package registry, and Debian's skopeo is built without sigstore: their half is held by its specification,
with pyca/cryptography and libsodium."""

import base64
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import tarfile
import time
import urllib.error
import urllib.request

import flaky
from registries import (
    CONFIGURATION,
    LAYER,
    MANIFEST,
    PASSWORD,
    ROOT,
    blob,
    command,
    log_in,
    pull,
    registry,
    run_all,
    with_credentials,
    with_tls,
)

try:
    import nacl.secret
    import oras.client
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    WHY = None
except ImportError as error:
    WHY = f"{error.name} is not in .venv, where tests/setup.py puts it"

MODULE = pathlib.Path(os.environ.get("PORTCULLIS_WASM", ROOT / "target/wasm32-wasip1/release/portcullis.wasm"))
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
WASM = "application/vnd.module.wasm.content.layer.v1+wasm"
ABOUT = "application/vnd.module.wasm.config.v1+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
BOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
# The least that an Envoy loads: memory, an ABI, an allocator.
SMALL = bytes.fromhex(
    "0061736d0100000001090260000060017f017f03030200010503010001072d03066d656d6f727902001770726f78795f6162"
    "695f76657273696f6e5f305f325f310000066d616c6c6f6300010a090202000b040041000b"
)
PASSPHRASE = "of a test only"


def the_module_comes_back_from_skopeo_and_oras(folder):
    module = MODULE.read_bytes()
    with registry(folder) as host:
        for layout in ("compat", "oci"):
            reference = f"{host}/gates/{layout}:v1"
            said = push(folder, reference, MODULE, "--layout", layout)
            manifest, digest = pull(host, f"gates/{layout}", "v1")
            assert said["digest"] == digest and said["pinned"] == f"{host}/gates/{layout}@{digest}", said
            assert istio_takes(manifest, lambda it: blob(host, f"gates/{layout}", it)) == module
            subprocess.run(
                ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{reference}", f"dir:{layout}"],
                cwd=folder, check=True,
            )
            copied = folder / layout
            assert sha256((copied / "manifest.json").read_bytes()) == digest
            at_hand = lambda it: (copied / it.removeprefix("sha256:")).read_bytes()
            assert istio_takes(manifest, at_hand) == module
            client = oras.client.OrasClient(insecure=True, tls_verify=False)
            container = client.get_container(reference)
            assert client.get_manifest(container) == manifest
            pulled = lambda it: client.get_blob(container, it).content
            assert istio_takes(manifest, pulled) == module
            for name in (reference, said["pinned"]):
                done = image(folder, "pull", name, "-fo", "pulled.wasm", "--format", "json")
                assert (folder / "pulled.wasm").read_bytes() == module
                assert json.loads(done.stdout)["layout"] == layout
                assert "who made this image is not known" in done.stderr


def the_same_module_has_the_same_digest(folder):
    options = ["--version", "v1", "--sbom", "bom.json", "--revision", "0123abc"]
    with registry(folder) as host:
        for layout in ("compat", "oci"):
            more = [*options, "--layout", layout]
            told = {push(folder, f"{host}/{name}:v1", small(folder), *more)["digest"] for name in ("a", "b")}
            for output in (f"{layout}-1", f"{layout}-2", f"{layout}.tar", f"{layout}-2.tar"):
                told.add(image(folder, "build", "--wasm", "small.wasm", "-o", output, *more).stdout.strip())
            assert len(told) == 1, told
            first, second = (folder / f"{layout}.tar", folder / f"{layout}-2.tar")
            assert first.read_bytes() == second.read_bytes()
            # What was built is what is pushed; skopeo reads it too.
            for output in (f"{layout}-1", f"{layout}.tar"):
                done = image(folder, "push", f"{host}/c:{output}", "--image", output, "--format", "json")
                assert {json.loads(done.stdout)["digest"]} == told
                source = f"oci:{output}:v1" if output.endswith("-1") else f"oci-archive:{output}:v1"
                done = subprocess.run(
                    ["skopeo", "inspect", source], cwd=folder, check=True, capture_output=True, text=True
                )
                assert {json.loads(done.stdout)["Digest"]} == told
        manifest, _ = pull(host, "c", "compat-1")
        assert "org.opencontainers.image.created" not in manifest["annotations"], manifest
        dated = image(folder, "build", "--wasm", "small.wasm", "-o", "dated", SOURCE_DATE_EPOCH="1800000000")
        assert dated.stdout.strip() not in told
        done = image(folder, "build", "--wasm", "small.wasm", check=False, SOURCE_DATE_EPOCH="today")
        assert done.returncode == 2 and "SOURCE_DATE_EPOCH" in done.stderr, done


def what_is_attached_is_found_as_the_specification_has_it(folder):
    with registry(folder) as host:
        made = signed(folder, host)
        # This registry lists no referrers: they stand under a tag.
        index = fetch(host, "gate", tag(made["digest"]), INDEX)
        kinds = {it["artifactType"]: it["digest"] for it in index["manifests"]}
        assert set(kinds) == {"application/vnd.cyclonedx+json", "application/vnd.in-toto+json"}, index
        for kind, digest in kinds.items():
            manifest = fetch(host, "gate", digest, MANIFEST)
            assert manifest["artifactType"] == kind and manifest["subject"]["digest"] == made["digest"], manifest
            assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json", manifest
            document = json.loads(blob(host, "gate", manifest["layers"][0]["digest"]))
            if kind.endswith("in-toto+json"):
                assert document["subject"][0]["digest"]["sha256"] == hashlib.sha256(SMALL).hexdigest(), document
                assert document["predicateType"] == "https://slsa.dev/provenance/v1", document
            else:
                assert document == BOM, document
        # One that lists them is asked for its list, and none stands under a tag.
        with flaky.proxy(host, lists_referrers=True) as (through, _):
            made = signed(folder, through, name="listed")
            assert len(verified(folder, f"{through}/listed:v1")["attached"]) == 2
            assert status(host, "listed", tag(made["digest"])) == 404
        shown = json.loads(image(folder, "inspect", f"{host}/gate:v1", "--format", "json").stdout)
        assert shown["layout"] == "compat" and shown["module"]["abi"] == "proxy_abi_version_0_2_1", shown
        assert [it["kind"] for it in shown["referrers"]] == ["SBOM", "provenance"], shown
        assert [it["verified"] for it in shown["signatures"]] == [False], shown


def each_kind_of_key_signs_and_others_verify(folder):
    with registry(folder) as host:
        for kind in keys(folder):
            # Each key signs an image of its own.
            made = push(folder, f"{host}/{kind}:v1", small(folder), "--annotation", f"kind={kind}")
            image(folder, "sign", f"{host}/{kind}:v1", "--key", f"{kind}.pem", COSIGN_PASSWORD=PASSPHRASE)
            verified(folder, f"{host}/{kind}:v1", key=f"{kind}.pub")
            refused(folder, f"{host}/{kind}:v1", "is not signed by the key other.pub", key="other.pub")
            assert by_the_specification(folder, host, kind, made["digest"], f"{kind}.pub")
            assert not by_the_specification(folder, host, kind, made["digest"], "other.pub")
        done = image(folder, "sign", f"{host}/locked:v1", "--key", "locked.pem", check=False, COSIGN_PASSWORD="other")
        assert done.returncode == 2 and "its password is another one" in done.stderr, done


def what_others_signed_is_verified_here(folder):
    keys(folder)
    with registry(folder) as host:
        made = push(folder, f"{host}/gate:v1", small(folder))
        # What is attached has no signature yet.
        by_hand(folder, host, "gate", made["digest"])
        refused(folder, f"{host}/gate:v1", "the provenance sha256:")
        for attached in made["attached"]:
            by_hand(folder, host, "gate", attached["digest"])
        verified(folder, f"{host}/gate:v1")
        # A second signature stands beside it, and the first one still holds.
        image(folder, "sign", f"{host}/gate:v1", "--key", "ed25519.pem")
        for key in ("p256.pub", "ed25519.pub"):
            verified(folder, f"{host}/gate:v1", key=key)
            assert by_the_specification(folder, host, "gate", made["digest"], key)


def signatures_stay_and_say_what_is_wanted(folder):
    with registry(folder) as host:
        made = signed(folder, host)
        reference = f"{host}/gate:v1"
        signatures = lambda: fetch(host, "gate", f"{tag(made['digest'])}.sig", MANIFEST)["layers"]
        assert len(signatures()) == 1
        image(folder, "sign", reference, "--key", "p256.pem")
        assert len(signatures()) == 1, "the same signature twice"
        refused(folder, reference, "is signed without `env`", "--annotation", "env=production")
        refused(folder, reference, "without saying when", "--max-age", "1h")
        image(folder, "sign", reference, "--key", "p256.pem", "--annotation", "env=production", "--timestamp")
        assert len(signatures()) == 2
        verified(folder, reference, "--annotation", "env=production", "--max-age", "1h")
        refused(folder, reference, "and not `staging`", "--annotation", "env=staging")
        time.sleep(1)
        refused(folder, reference, "stale signature: it is ", "--max-age", "0s")
        # The tag moves on, and the old image keeps its signature.
        push(folder, reference, small(folder), "--version", "v2")
        refused(folder, reference, "is not signed")
        verified(folder, made["pinned"])
        # One that is copied to the new image is of the old one.
        _, now = pull(host, "gate", "v1")
        old = fetch(host, "gate", f"{tag(made['digest'])}.sig", MANIFEST)
        put(host, "gate", f"{tag(now)}.sig", old)
        refused(folder, reference, f"stale signature: it is of the manifest {made['digest']}")


def one_byte_on_the_disk_of_the_registry_is_enough(folder):
    with registry(folder) as host:
        made = signed(folder, host)
        manifest = fetch(host, "gate", made["digest"], MANIFEST)
        signatures, signature = pull(host, "gate", f"{tag(made['digest'])}.sig")
        parts = {
            "layer": (manifest["layers"][0]["digest"], "was changed"),
            "config": (manifest["config"]["digest"], "was changed"),
            "manifest": (made["digest"], "the manifest `v1` was changed"),
            "signature": (signature, ".sig` was changed"),
            "signed payload": (signatures["layers"][0]["digest"], "was changed"),
        }
        for attached in made["attached"]:
            one = fetch(host, "gate", attached["digest"], MANIFEST)
            own, _ = pull(host, "gate", f"{tag(attached['digest'])}.sig")
            parts[attached["kind"]] = (one["layers"][0]["digest"], f"the {attached['kind']} ")
            parts[f"{attached['kind']}'s manifest"] = (attached["digest"], "was changed")
            parts[f"{attached['kind']}'s payload"] = (own["layers"][0]["digest"], "was changed")
        for part, (digest, wanted) in parts.items():
            file = on_disk(folder, digest)
            whole = file.read_bytes()
            changed = bytearray(whole)
            # Not a brace: it must still be a manifest.
            is_manifest = b"schemaVersion" in whole
            changed[whole.index(b"sha256:") + 9 if is_manifest else len(whole) // 2] ^= 1
            file.write_bytes(changed)
            refused(folder, f"{host}/gate:v1", wanted)
            # One that is cut the registry does not serve.
            if not is_manifest:
                file.write_bytes(whole[:-1])
                refused(folder, f"{host}/gate:v1", "was changed")
            file.write_bytes(whole)
            verified(folder, f"{host}/gate:v1")
        assert len(parts) == 11, parts


def whoever_pushes_with_fresh_digests_is_refused_too(folder):
    with registry(folder) as host:
        made = signed(folder, host)
        reference = f"{host}/gate:v1"
        manifest = fetch(host, "gate", made["digest"], MANIFEST)
        signatures = fetch(host, "gate", f"{tag(made['digest'])}.sig", MANIFEST)
        listed = fetch(host, "gate", tag(made["digest"]), INDEX)
        layer = bytearray(blob(host, "gate", manifest["layers"][0]["digest"]))
        layer[4] ^= 1  # The time in the head of gzip: the module is the same.

        def changed(document, name, wanted, kind=MANIFEST):
            before = read(host, "gate", name, kind)
            put(host, "gate", name, document, kind)
            refused(folder, reference, wanted)
            put(host, "gate", name, before, kind)
            verified(folder, reference)

        changed({**manifest, "layers": [upload(host, "gate", bytes(layer), LAYER)]}, "v1", "is not signed")
        config = blob(host, "gate", manifest["config"]["digest"]) + b"\n"
        changed({**manifest, "config": upload(host, "gate", config, CONFIGURATION)}, "v1", "is not signed")
        changed({**manifest, "annotations": {}}, "v1", "is not signed")
        [one] = signatures["layers"]
        where = f"{tag(made['digest'])}.sig"
        text = one["annotations"][SIGNATURE]
        bits = bytearray(base64.b64decode(text))
        bits[-1] ^= 1
        broken = {**one, "annotations": {SIGNATURE: base64.b64encode(bits).decode()}}
        changed({**signatures, "layers": [broken]}, where, "is not signed by the key p256.pub")
        broken = {**one, "annotations": {SIGNATURE: text[:-4] + "????"}}
        changed({**signatures, "layers": [broken]}, where, "one is no base64")
        payload = blob(host, "gate", one["digest"]).replace(b"cosign", b"cosigN")
        broken = {**upload(host, "gate", payload, SIMPLE), "annotations": one["annotations"]}
        changed({**signatures, "layers": [broken]}, where, "is not signed by the key p256.pub")
        changed({**signatures, "layers": []}, where, "is not signed")
        # Another SBOM and another provenance, by nobody: unless that is said to be fine.
        for attached in listed["manifests"]:
            old = fetch(host, "gate", attached["digest"], MANIFEST)
            document = blob(host, "gate", old["layers"][0]["digest"])
            kind = old["artifactType"]
            swapped = {**old, "layers": [upload(host, "gate", document[:-1] + b" }", kind)]}
            digest, size = put(host, "gate", None, swapped)
            entries = [it for it in listed["manifests"] if it is not attached]
            index = {**listed, "manifests": [*entries, {**attached, "digest": digest, "size": size}]}
            put(host, "gate", tag(made["digest"]), index, INDEX)
            refused(folder, reference, f"{digest} is not signed")
            said = verified(folder, reference, "--allow-unsigned-referrers")
            assert [it["signed"] for it in said["attached"]].count(False) == 1, said
            # One that is of another module is refused even then.
            if kind.endswith("in-toto+json"):
                other = re.sub(rb'"sha256":"[0-9a-f]{64}"', b'"sha256":"%s"' % (b"0" * 64), document)
                swapped["layers"] = [upload(host, "gate", other, kind)]
                digest, size = put(host, "gate", None, swapped)
                index["manifests"][-1] = {**attached, "digest": digest, "size": size}
                put(host, "gate", tag(made["digest"]), index, INDEX)
                refused(folder, reference, "and the module is", "--allow-unsigned-referrers")
            put(host, "gate", tag(made["digest"]), listed, INDEX)
        verified(folder, reference)
        # What is listed and refers to something else.
        stranger = {**fetch(host, "gate", listed["manifests"][0]["digest"], MANIFEST)}
        stranger["subject"] = {**stranger["subject"], "digest": "sha256:" + "0" * 64}
        digest, size = put(host, "gate", None, stranger)
        index = {**listed, "manifests": [{**listed["manifests"][0], "digest": digest, "size": size}]}
        changed(index, tag(made["digest"]), "refers to something else", INDEX)


def what_a_mesh_refuses_is_not_verified(folder):
    keys(folder)
    with registry(folder) as host:
        raw = lambda kind: upload(host, "gate", SMALL, kind)
        empty = lambda kind: upload(host, "gate", b"{}", kind)
        packed = lambda *files: upload(host, "gate", gzip.compress(tar(*files)), LAYER)
        good = empty(CONFIGURATION)
        bomb = gzip.compress(tar(("plugin.wasm", bytes(300 * 1024 * 1024))), compresslevel=1)
        cases = {
            "cncf": (empty("application/vnd.wasm.config.v0+json"), [raw("application/wasm")], "the CNCF's layout"),
            "wasm-to-oci": (
                empty("application/vnd.wasm.config.v1+json"),
                [raw("application/vnd.wasm.content.layer.v1+wasm")], "the layout of wasm-to-oci",
            ),
            "three": (good, [raw(WASM), empty(ABOUT), empty("x/more")], "it has 3 layers"),
            "none": (good, [], "it has no layer"),
            "elsewhere": (good, [packed(("other.wasm", SMALL))], "`other.wasm` besides"),
            "two": (good, [packed(("plugin.wasm", SMALL), ("a/plugin.wasm", SMALL))], "`a/plugin.wasm` besides"),
            "bomb": (good, [upload(host, "gate", bomb, LAYER)], "at most are taken"),
        }
        for name, (config, layers, wanted) in cases.items():
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
            digest, _ = put(host, "gate", name, manifest)
            try:
                istio_takes(manifest, lambda it: blob(host, "gate", it))
                is_taken = name in ("two", "bomb")
            except AssertionError:
                is_taken = False
            assert is_taken == (name in ("two", "bomb")), name
            done = image(folder, "sign", f"{host}/gate:{name}", "--key", "p256.pem", check=False)
            assert done.returncode == 1 and wanted in done.stderr, done
            # Whoever has the key can sign it all the same.
            by_hand(folder, host, "gate", digest)
            refused(folder, f"{host}/gate:{name}", wanted)
            shown = json.loads(image(folder, "inspect", f"{host}/gate:{name}", "--format", "json").stdout)
            assert wanted in shown["refused"], shown
        # Docker's own format is taken, as Istio takes it.
        push(folder, f"{host}/gate:oci", small(folder))
        subprocess.run(
            [
                "skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s2",
                f"docker://{host}/gate:oci", f"docker://{host}/gate:docker",
            ],
            check=True,
        )
        assert istio_takes(fetch(host, "gate", "docker", DOCKER), lambda it: blob(host, "gate", it)) == SMALL
        image(folder, "sign", f"{host}/gate:docker", "--key", "p256.pem")
        assert verified(folder, f"{host}/gate:docker")["layout"] == "docker"


def credentials_are_those_of_docker(folder):
    keys(folder)
    with registry(folder, with_credentials(folder)) as host:
        reference = f"{host}/gate:v1"
        steps = (
            ("push", reference, "--wasm", str(small(folder))),
            ("sign", reference, "--key", "p256.pem"),
            ("verify", reference, "--key", "p256.pub"),
            ("pull", reference, "-fo", "pulled.wasm"),
            ("inspect", reference),
        )
        for password, code in ((None, 2), ("another", 2), (PASSWORD, 0)):
            login = log_in(folder, host, password) if password else PASSWORD
            for step in steps:
                done = image(folder, *step, check=False)
                assert done.returncode == code, done
                assert code == 0 or f"docker login {host}" in done.stderr, done
                assert PASSWORD not in done.stdout + done.stderr and login not in done.stdout + done.stderr, done


def tls_is_not_left_away_unasked(folder):
    keys(folder)
    with registry(folder) as host:
        done = image(folder, "verify", f"{host}/gate:v1", "--key", "p256.pub", "--plain-http=false", check=False)
        assert done.returncode == 2 and "--plain-http" in done.stderr, done
    tls, certificate = with_tls(folder)
    with registry(folder, tls) as host:
        arguments = ("push", f"{host}/gate:v1", "--wasm", str(small(folder)), "--plain-http=false")
        done = image(folder, *arguments, check=False)
        assert done.returncode == 2 and "certificate" in done.stderr, done
        trusted = {"SSL_CERT_FILE": str(certificate)}
        assert image(folder, *arguments, **trusted).stdout.startswith(f"{host}/gate@sha256:")
        image(folder, "sign", f"{host}/gate:v1", "--key", "p256.pem", "--plain-http=false", **trusted)
        image(folder, "verify", f"{host}/gate:v1", "--key", "p256.pub", "--plain-http=false", **trusted)
    # Nobody is there any more, and there is no such image.
    done = image(folder, "verify", f"{host}/gate:v1", "--key", "p256.pub", check=False)
    assert done.returncode == 2 and "--plain-http" in done.stderr, done
    (folder / "another").mkdir()
    with registry(folder / "another") as host:
        done = image(folder, "verify", f"{host}/gate:v2", "--key", "p256.pub", check=False)
        assert done.returncode == 2 and f"{host} has no `{host}/gate:v2`" in done.stderr, done


def what_passes_is_waited_for(folder):
    keys(folder)
    with registry(folder) as host:
        for fault in (429, 503, "hang up"):
            # Each path fails twice before it is let through.
            with flaky.proxy(host, fault, times=2) as (through, asked):
                name = f"{through}/gate:v1"
                push(folder, name, small(folder))
                image(folder, "sign", name, "--key", "p256.pem")
                verified(folder, name)
                assert asked["failed"] > 4, asked
        with flaky.proxy(host, 503, times=1_000_000) as (through, asked):
            done = image(folder, "verify", f"{through}/gate:v1", "--key", "p256.pub", check=False)
            assert done.returncode == 2 and "503" in done.stderr, done
            assert asked["failed"] == 4, asked
        # What will not pass is not tried again.
        with flaky.proxy(host, 403, times=1_000_000) as (through, asked):
            done = image(folder, "verify", f"{through}/gate:v1", "--key", "p256.pub", check=False)
            assert done.returncode == 2 and asked["failed"] == 1, (done, asked)


TESTS = [
    the_module_comes_back_from_skopeo_and_oras,
    the_same_module_has_the_same_digest,
    what_is_attached_is_found_as_the_specification_has_it,
    each_kind_of_key_signs_and_others_verify,
    what_others_signed_is_verified_here,
    signatures_stay_and_say_what_is_wanted,
    one_byte_on_the_disk_of_the_registry_is_enough,
    whoever_pushes_with_fresh_digests_is_refused_too,
    what_a_mesh_refuses_is_not_verified,
    credentials_are_those_of_docker,
    tls_is_not_left_away_unasked,
    what_passes_is_waited_for,
]


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


def tar(*files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
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


run_all(TESTS, "skopeo", why=WHY)
