#!/usr/bin/env python3
"""Pushes bundles to a real registry, Debian's `docker-registry`, and pulls them as OPA's downloader does
(v1/download/oci_download.go): the manifest by its tag, then the first layer of the type of a bundle."""

import base64
import json
import os

from registries import (
    CONFIGURATION,
    LAYER,
    MANIFEST,
    PASSWORD,
    blob,
    command,
    log_in,
    pull,
    registry,
    run_all,
    with_credentials,
    with_tls,
)


def a_bundle_comes_back_as_it_was(folder):
    bundle = build(folder)
    with registry(folder) as host:
        said = push(folder, f"{host}/policies/authz:v7")
        manifest, digest = pull(host, "policies/authz", "v7")
        assert said["digest"] == digest, (said, digest)
        assert said["pinned"] == f"{host}/policies/authz@{digest}", said
        assert manifest["mediaType"] == MANIFEST and manifest["schemaVersion"] == 2, manifest
        assert manifest["config"]["mediaType"] == CONFIGURATION, manifest
        [layer] = [layer for layer in manifest["layers"] if layer["mediaType"] == LAYER]
        assert layer["digest"] == said["layer"] and layer["size"] == len(bundle), layer
        assert blob(host, "policies/authz", layer["digest"]) == bundle
        assert blob(host, "policies/authz", manifest["config"]["digest"]) == b"{}"
        # The digest follows from the bundle: by another tag, and pushed again.
        for reference in (f"{host}/policies/authz", f"{host}/elsewhere"):
            assert push(folder, reference, "--tag", "again")["digest"] == digest


def a_large_bundle_comes_back_too(folder):
    # Not one text, which may be long only so far.
    noise = [base64.b64encode(os.urandom(90_000)).decode() for _ in range(100)]
    (folder / "policies").mkdir()
    (folder / "policies/data.json").write_text(json.dumps({"noise": noise}))
    bundle = build(folder)
    assert len(bundle) > 8_000_000
    with registry(folder) as host:
        said = push(folder, f"{host}/large:v1")
        assert blob(host, "large", said["layer"]) == bundle


def credentials_are_those_of_docker(folder):
    build(folder)
    with registry(folder, with_credentials(folder)) as host:
        reference = f"{host}/policies/authz:v7"
        done = run(folder, "push", "authz.tar.gz", reference, check=False)
        assert done.returncode == 2 and f"docker login {host}" in done.stderr, done
        for password, code in (("another", 2), (PASSWORD, 0)):
            login = log_in(folder, host, password)
            done = run(folder, "push", "authz.tar.gz", reference, check=False)
            assert done.returncode == code, done
            assert password not in done.stdout + done.stderr and login not in done.stdout + done.stderr, done
        (folder / "config.json").write_text("{")
        done = run(folder, "push", "authz.tar.gz", reference, check=False)
        assert done.returncode == 2 and "the Docker configuration" in done.stderr, done


def tls_is_not_left_away_unasked(folder):
    build(folder)
    with registry(folder) as host:
        done = run(folder, "push", "authz.tar.gz", f"{host}/authz:v7", "--plain-http=false", check=False)
        assert done.returncode == 2 and "--plain-http" in done.stderr, done


def a_registry_with_tls_is_trusted_by_its_issuer(folder):
    build(folder)
    tls, certificate = with_tls(folder)
    with registry(folder, tls) as host:
        push_it = ("push", "authz.tar.gz", f"{host}/authz:v7", "--plain-http=false")
        done = run(folder, *push_it, check=False)
        assert done.returncode == 2 and "certificate" in done.stderr, done
        done = run(folder, *push_it, SSL_CERT_FILE=str(certificate))
        assert done.stdout.startswith(f"{host}/authz@sha256:"), done


TESTS = [
    a_bundle_comes_back_as_it_was,
    a_large_bundle_comes_back_too,
    credentials_are_those_of_docker,
    tls_is_not_left_away_unasked,
    a_registry_with_tls_is_trusted_by_its_issuer,
]


def build(folder):
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    (policies / "authz.rego").write_text("package envoy.authz\n\nallow := true\n")
    run(folder, "build", "policies", "-o", "authz.tar.gz", "--revision", "v7", "--sequence", "7")
    return (folder / "authz.tar.gz").read_bytes()


def push(folder, reference, *more):
    return json.loads(run(folder, "push", "authz.tar.gz", reference, "--format", "json", *more).stdout)


def run(folder, *arguments, **more):
    return command(folder, "bundle", *arguments, **more)


run_all(TESTS)
