#!/usr/bin/env python3
"""Signatures of images in a real registry, Debian's `docker-registry`: made here and verified by others, and the other
way around. cosign comes from no package registry, and Debian's skopeo is built without sigstore: their half is held by
its specification, with pyca/cryptography and libsodium."""

import gzip
import subprocess
import time

import flaky
from images import (
    INDEX,
    PASSPHRASE,
    WHY,
    by_hand,
    by_the_specification,
    fetch,
    image,
    keys,
    push,
    put,
    refused,
    signed,
    small,
    status,
    tag,
    tar,
    upload,
    verified,
)
from registries import CONFIGURATION, LAYER, MANIFEST, pull, registry, run_all


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
        # Signing each day does not fill the place.
        time.sleep(1)
        before = signatures()
        image(folder, "sign", reference, "--key", "p256.pem", "--annotation", "env=production", "--timestamp")
        assert len(signatures()) == 2 and signatures()[0] == before[0] != signatures()[1] != before[1]
        assert by_the_specification(folder, host, "gate", made["digest"], "p256.pub")
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


def a_signature_too_many_is_not_added(folder):
    keys(folder)
    with registry(folder) as host:
        made = push(folder, f"{host}/gate:v1", small(folder))
        for digest in (made["digest"], *(it["digest"] for it in made["attached"])):
            by_hand(folder, host, "gate", digest)
        where = f"{tag(made['digest'])}.sig"
        one = fetch(host, "gate", where, MANIFEST)
        # What is of another kind does not count.
        other = upload(host, "gate", b"{}", "x/other")
        put(host, "gate", where, {**one, "layers": [other, *one["layers"] * 64]})
        verified(folder, f"{host}/gate:v1")
        done = image(folder, "sign", f"{host}/gate:v1", "--key", "ed25519.pem", check=False)
        assert done.returncode == 1 and "there are 64 by others" in done.stderr, done
        verified(folder, f"{host}/gate:v1")
        put(host, "gate", where, {**one, "layers": one["layers"] * 65})
        refused(folder, f"{host}/gate:v1", "more than 64")


def who_signs_at_the_same_time_loses_nothing(folder):
    keys(folder)
    with registry(folder) as host:
        made = push(folder, f"{host}/gate:v1", small(folder))
        for digest in (made["digest"], *(it["digest"] for it in made["attached"])):
            by_hand(folder, host, "gate", digest)
        where = f"{tag(made['digest'])}.sig"
        rivals = fetch(host, "gate", where, MANIFEST)
        # Before what was written is held against what is there, and afterwards.
        for at in (1, 2):
            put(host, "gate", where, rivals)
            turns = []

            def rival(path):
                if path.endswith(where):
                    turns.append(put(host, "gate", where, rivals))

            with flaky.proxy(host, rival=rival, at=at) as (through, _):
                image(folder, "sign", f"{through}/gate:v1", "--key", "ed25519.pem")
            assert len(turns) == 1, turns
            for key in ("p256.pub", "ed25519.pub"):
                verified(folder, f"{host}/gate:v1", key=key)


def a_digest_is_signed_and_a_tag_with_a_warning(folder):
    keys(folder)
    with registry(folder) as host:
        made = push(folder, f"{host}/gate:v1", small(folder))
        for reference, warned in ((f"{host}/gate:v1", True), (made["pinned"], False)):
            done = image(folder, "sign", reference, "--key", "p256.pem")
            assert ("a tag was given" in done.stderr) == warned, done
        # By another name it is verified too, and that is said.
        with flaky.proxy(host) as (through, _):
            for name, warned in ((host, False), (through, True)):
                done = image(folder, "verify", f"{name}/gate:v1", "--key", "p256.pub")
                assert (f"signed as {host}/gate" in done.stderr) == warned, done


def what_was_attached_does_not_vanish_unseen(folder):
    with registry(folder) as host:
        made = signed(folder, host)
        reference, wanted = f"{host}/gate:v1", ("--require", "sbom,provenance")
        listed = fetch(host, "gate", tag(made["digest"]), INDEX)
        text = lambda: image(folder, "verify", reference, "--key", "p256.pub").stdout
        verified(folder, reference, *wanted)
        assert text().endswith("layout compat, SBOM signed, provenance signed\n"), text()
        for gone, (name, words) in enumerate((("SBOM", "no SBOM, provenance signed"), ("provenance", "no provenance"))):
            kept = [it for it in listed["manifests"] if it is not listed["manifests"][gone]]
            put(host, "gate", tag(made["digest"]), {**listed, "manifests": kept}, INDEX)
            verified(folder, reference)
            assert words in text(), text()
            refused(folder, reference, f"it has no {name}, and --require wants one", *wanted)
        # What is of another kind, and broken, is nobody's business.
        stranger = fetch(host, "gate", listed["manifests"][0]["digest"], MANIFEST)
        digest, size = put(host, "gate", None, {**stranger, "subject": None, "artifactType": "x/other"})
        other = {"mediaType": MANIFEST, "artifactType": "x/other", "digest": digest, "size": size}
        put(host, "gate", tag(made["digest"]), {**listed, "manifests": [*listed["manifests"], other]}, INDEX)
        assert len(verified(folder, reference, *wanted)["attached"]) == 2


def what_is_no_gate_is_neither_signed_nor_verified(folder):
    keys(folder)
    with registry(folder) as host:
        config = upload(host, "gate", b"{}", CONFIGURATION)
        for name, module in (("text", b"no wasm at all"), ("idle", b"\0asm\1\0\0\0")):
            layer = upload(host, "gate", gzip.compress(tar(("plugin.wasm", module))), LAYER)
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
            digest, _ = put(host, "gate", name, manifest)
            reference, wanted = f"{host}/gate:{name}", "its module is no gate: "
            done = image(folder, "sign", reference, "--key", "p256.pem", check=False)
            assert done.returncode == 1 and wanted in done.stderr, done
            by_hand(folder, host, "gate", digest)
            refused(folder, reference, wanted)
            done = image(folder, "pull", reference, "-o", "refused.wasm", check=False)
            assert done.returncode == 1 and wanted in done.stderr and not (folder / "refused.wasm").exists(), done
            subprocess.run(
                ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{reference}", f"oci:{name}:v1"],
                cwd=folder, check=True,
            )
            done = image(folder, "push", f"{host}/other:v1", "--image", name, check=False)
            assert done.returncode == 2 and f"{name}: it " in done.stderr, done
            assert status(host, "other", "v1") == 404


TESTS = [
    each_kind_of_key_signs_and_others_verify,
    what_others_signed_is_verified_here,
    signatures_stay_and_say_what_is_wanted,
    a_signature_too_many_is_not_added,
    who_signs_at_the_same_time_loses_nothing,
    a_digest_is_signed_and_a_tag_with_a_warning,
    what_was_attached_does_not_vanish_unseen,
    what_is_no_gate_is_neither_signed_nor_verified,
]


run_all(TESTS, "skopeo", why=WHY)
