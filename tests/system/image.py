#!/usr/bin/env python3
"""Images of the module in a real registry, Debian's `docker-registry`: pulled by skopeo and oras, held against Istio's
own rules, and changed on the registry's disk and by pushing."""

import base64
import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess

import flaky
from images import (
    ABOUT,
    BOM,
    DOCKER,
    INDEX,
    SIGNATURE,
    SIMPLE,
    SMALL,
    WASM,
    WHY,
    by_hand,
    fetch,
    image,
    istio_takes,
    keys,
    on_disk,
    oras_reads,
    push,
    put,
    read,
    refused,
    sha256,
    signed,
    small,
    status,
    tag,
    tar,
    upload,
    verified,
)
from registries import CONFIGURATION, LAYER, MANIFEST, ROOT, blob, pull, registry, run_all

MODULE = pathlib.Path(os.environ.get("PORTCULLIS_WASM", ROOT / "target/wasm32-wasip1/release/portcullis.wasm"))


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
            found, pulled = oras_reads(reference)
            assert found == manifest and istio_takes(manifest, pulled) == module
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
                for other in (whole[:-1], whole + b" "):
                    file.write_bytes(other)
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
        holes = {"GNU.sparse.map": f"0,{len(SMALL)}", "GNU.sparse.size": str(len(SMALL))}
        sparse = tar(("plugin.wasm", SMALL), extended={**holes, "GNU.sparse.major": "0", "GNU.sparse.minor": "1"})
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
            # What Go's reader makes of them is not what is there.
            "sparse": (good, [upload(host, "gate", gzip.compress(sparse), LAYER)], "of the kind `x`"),
            "both": (good, [raw(WASM), packed(("plugin.wasm", SMALL))], "it has two layouts"),
        }
        taken = ("two", "bomb", "sparse", "both")
        for name, (config, layers, wanted) in cases.items():
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
            digest, _ = put(host, "gate", name, manifest)
            try:
                istio_takes(manifest, lambda it: blob(host, "gate", it))
                is_taken = True
            except AssertionError:
                is_taken = False
            assert is_taken == (name in taken), name
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


TESTS = [
    the_module_comes_back_from_skopeo_and_oras,
    the_same_module_has_the_same_digest,
    what_is_attached_is_found_as_the_specification_has_it,
    one_byte_on_the_disk_of_the_registry_is_enough,
    whoever_pushes_with_fresh_digests_is_refused_too,
    what_a_mesh_refuses_is_not_verified,
]


run_all(TESTS, "skopeo", why=WHY)
