#!/usr/bin/env python3
"""Who may speak to a registry with images, and how: credentials and tokens, TLS, and registries that are not well
or are no friends. image.py has what is in the images."""

import base64
import itertools

import flaky
import hostile
from images import WHY, image, keys, push, small, verified
from registries import PASSWORD, certify, command, log_in, registry, run_all, with_credentials, with_tls


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


def tokens_are_fetched_and_renewed(folder):
    keys(folder)
    with registry(folder) as host:
        login = base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
        with flaky.proxy(host, login=login, uses=3) as (through, asked):
            log_in(folder, through, PASSWORD)
            push(folder, f"{through}/gate:v1", small(folder))
            image(folder, "sign", f"{through}/gate:v1", "--key", "p256.pem")
            verified(folder, f"{through}/gate:v1")
            assert asked["tokens"] > 10, asked
            log_in(folder, through, "another")
            done = image(folder, "inspect", f"{through}/gate:v1", check=False)
            assert done.returncode == 2 and f"docker login {through}" in done.stderr, done
        # A token that serves for nothing is not asked for again and again.
        with flaky.proxy(host, login=login) as (through, asked):
            log_in(folder, through, PASSWORD)
            done = image(folder, "inspect", f"{through}/gate:v1", check=False)
            assert done.returncode == 2 and asked["tokens"] == 2 and "token-" not in done.stderr, (done, asked)


def a_registry_that_is_no_friend_gets_no_password(folder):
    tls = certify(folder)
    (folder / "policies").mkdir()
    (folder / "policies/authz.rego").write_text("package envoy.authz\n\nallow := true\n")
    command(folder, "bundle", "build", "policies", "-o", "authz.tar.gz", "--revision", "v1", "--sequence", "1")
    cases = (
        # It speaks TLS, and would have the password without.
        (tls, [b'{"token": "a"}'], "without TLS, and nothing is sent there", 0),
        (None, itertools.repeat(b" " * 2**20), "more than 65536 bytes", 1),
        (None, [b'{"token": "a\\nb"}'], "fits no header", 1),
        (None, [b"of-a-test-only"], "with what is no token", 1),
    )
    for keys_of_tls, token, wanted, asked in cases:
        with hostile.registry(token, keys_of_tls) as (host, seen):
            login = log_in(folder, host, PASSWORD)
            plain = f"--plain-http={'false' if keys_of_tls else 'true'}"
            for line in (
                ("image", "inspect", f"{host}/gate:v1"),
                ("image", "push", f"{host}/gate:v1", "--wasm", str(small(folder))),
                ("bundle", "push", "authz.tar.gz", f"{host}/authz:v1"),
            ):
                seen.clear()
                done = command(folder, *line, plain, check=False, SSL_CERT_FILE=str(tls[0]))
                assert done.returncode == 2 and wanted in done.stderr, done
                assert seen == [f"Basic {login}"] * asked, seen
                assert PASSWORD not in done.stderr and login not in done.stderr, done


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
            # Each path fails once before it is let through.
            with flaky.proxy(host, fault, times=1) as (through, asked):
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
    credentials_are_those_of_docker,
    tokens_are_fetched_and_renewed,
    a_registry_that_is_no_friend_gets_no_password,
    tls_is_not_left_away_unasked,
    what_passes_is_waited_for,
]


run_all(TESTS, why=WHY)
