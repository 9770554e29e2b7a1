#!/usr/bin/env python3
"""Does what policies/ci has GitHub and GitLab do: takes the commands out of both files and runs them, in order, in a
fresh repository of policies, against a real registry. And holds the files to the hosts' own schemas and to rules."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys

import registries
from ci_hosts import FOLDER, GITHUB, GITLAB, ROOT, WHY, hosts, made_keys, read

# Made up for one run, so that it is nowhere but where the commands put it.
SECRETS = ("POLICY_SIGNING_KEY", "REGISTRY_PASSWORD")


# What the hosts say of the files


def both_files_are_valid_by_the_schemas_of_their_hosts(_):
    check = [pathlib.Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema"]
    subprocess.run([*check, "vendor.github-workflows", GITHUB, *workflows()], check=True)
    subprocess.run([*check, "vendor.gitlab-ci", "--data-transform", "gitlab-ci", GITLAB], check=True)


def workflows():
    return sorted((ROOT / ".github/workflows").glob("*.yml"))


def actions_are_pinned_and_may_do_no_more_than_they_need(_):
    for file in (GITHUB, *workflows()):
        text, document = file.read_text(), read(file)
        uses = re.findall(r"uses: (\S+)(.*)", text)
        assert uses, file
        for action, version in uses:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{file}: {action} is not pinned by a commit"
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", version), f"{file}: {action} does not say its version"
        assert document["permissions"] == {}, f"{file}: jobs that say nothing may do something"
        for name, job in document["jobs"].items():
            assert "permissions" in job and "timeout-minutes" in job, f"{file}: {name}"
            for step in job["steps"]:
                # What stands in an expression becomes part of the script, whoever wrote it.
                assert "${{" not in step.get("run", ""), f"{file}: {step}"
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False, f"{file}: {step}"


def secrets_are_where_only_merged_policies_are(_):
    jobs = read(GITHUB)["jobs"]
    assert "secrets." not in json.dumps(jobs["check"])
    assert jobs["deliver"]["environment"] and jobs["deliver"]["needs"] == "check"
    # And there only of the steps that use them.
    assert "secrets." not in json.dumps(jobs["deliver"]["env"])
    pipeline = read(GITLAB)
    assert pipeline["deliver"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]
    for secret in ("SIGNING_KEY", "PASSWORD"):
        assert secret not in json.dumps(pipeline["check"]), secret


def the_page_names_what_they_ask_for(_):
    page = (FOLDER / "README.md").read_text()
    said = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", page))
    asked = set(re.findall(r"(?:vars|secrets)\.(\w+)", GITHUB.read_text()))
    # GitLab gives these itself.
    given = ("CI_", "GIT_", "DOCKER_", "PATH")
    used = set(re.findall(r"\$([A-Z]\w+)|env:([A-Z]\w+)", GITLAB.read_text()))
    asked |= {name for pair in used for name in pair if name and not name.startswith(given)}
    assert asked - {"GITHUB_TOKEN"} <= said, asked - said


# What the commands do


def a_good_policy_gets_from_a_pull_request_to_manifests(folder):
    with hosts(folder) as all_hosts:
        for host in all_hosts:
            done = host.run("check")
            assert not done.failed, done
            assert json.loads(host.file("check.sarif"))["version"] == "2.1.0"
            assert host.file("report.xml").startswith("<?xml"), host.file("report.xml")
            assert json.loads(host.file("coverage.json"))["coverage"] >= 80
            done = host.run("deliver")
            assert not done.failed, done
            pinned = host.file("pushed.txt").strip()
            name, digest = pinned.rsplit("@", 1)
            address, repository = name.split("/", 1)
            manifest, found = host.pull(repository, host.commit)
            assert found == digest, (found, digest)
            [layer] = [layer for layer in manifest["layers"] if layer["mediaType"] == registries.LAYER]
            bundle = (host.repository / "authz.tar.gz").read_bytes()
            assert layer["digest"] == f"sha256:{hashlib.sha256(bundle).hexdigest()}"
            said = json.loads(host.portcullis("bundle", "inspect", "authz.tar.gz", "--format", "json").stdout)
            assert host.commit in json.dumps(said), said
            _, image = host.pull("gates/portcullis", "v1")
            manifests = "".join(file.read_text() for file in sorted((host.repository / "manifests").iterdir()))
            assert f"oci://{host.address}/gates/portcullis" in manifests, manifests
            assert image in manifests and image.removeprefix("sha256:") in manifests, manifests


def no_secret_is_said_or_left(folder):
    with hosts(folder) as all_hosts:
        for host in all_hosts:
            said = host.run("check").said + host.run("deliver").said
            secrets = [line for name in SECRETS for line in host.secrets[name].splitlines() if "-----" not in line]
            assert secrets and not [secret for secret in secrets if secret in said], said
            kept = [file for file in host.repository.rglob("*") if file.is_file()]
            assert not [file for file in kept if any(secret.encode() in file.read_bytes() for secret in secrets)]
            assert not (host.repository / ".docker").exists()


def what_is_wrong_stops_them(folder):
    with hosts(folder) as all_hosts:
        for host in all_hosts:
            for wrong, (job, step) in WRONG.items():
                with host.changed(wrong):
                    done = host.run(job)
                    assert done.failed and step in done.failed, f"{host.name}: {wrong.__name__}: {done}"


def a_policy_that_does_not_load(host):
    host.append("policies/authz.rego", "\nallow if nothing.at.all\n")


def a_policy_that_is_probably_wrong(host):
    host.append("policies/authz.rego", '\nunused if input.no_such_field == "x"\n')


def a_test_that_fails(host):
    host.append("policies/authz_test.rego", "\ntest_that_fails if false\n")


def a_policy_that_no_test_runs(host):
    (host.repository / "policies/authz_test.rego").write_text("package authz_test\n\ntest_nothing if true\n")


def no_tests(host):
    (host.repository / "policies/authz_test.rego").unlink()


def another_command_than_was_pinned(host):
    host.variables["PORTCULLIS_SHA256"] = "0" * 64


def a_key_that_the_gates_do_not_know(host):
    made_keys(host.home / "another")
    host.secrets["POLICY_SIGNING_KEY"] = (host.home / "another/policy.pem").read_text()


def a_wrong_password(host):
    host.secrets["REGISTRY_PASSWORD"] = "another"


def an_image_that_nobody_signed(host):
    host.variables["GATE_IMAGE"] = f"{host.address}/gates/unsigned:v1"


def an_image_that_somebody_else_signed(host):
    (host.repository / "keys/gate.pub.pem").write_text(host.file("keys/policy.pub.pem"))


def a_secret_in_the_configuration(host):
    key = f'{{id: some, subject: some, hash: "hmac-sha256:{"0" * 64}"}}'
    host.append("gate.yaml", f"\napi_keys: {{pepper: of-a-test-only-of-a-test-only-of-it, keys: [{key}]}}\n")


# In which job, and what is in the command that must fail.
WRONG = {
    another_command_than_was_pinned: ("check", "sha256sum"),
    a_policy_that_does_not_load: ("check", "portcullis check"),
    a_policy_that_is_probably_wrong: ("check", "portcullis check"),
    a_test_that_fails: ("check", "portcullis test"),
    no_tests: ("check", "portcullis test"),
    a_policy_that_no_test_runs: ("check", "--threshold"),
    a_key_that_the_gates_do_not_know: ("deliver", "bundle verify"),
    a_wrong_password: ("deliver", "bundle push"),
    an_image_that_nobody_signed: ("deliver", "image verify"),
    an_image_that_somebody_else_signed: ("deliver", "image verify"),
    a_secret_in_the_configuration: ("deliver", "image emit"),
}

TESTS = [
    both_files_are_valid_by_the_schemas_of_their_hosts,
    actions_are_pinned_and_may_do_no_more_than_they_need,
    secrets_are_where_only_merged_policies_are,
    the_page_names_what_they_ask_for,
    a_good_policy_gets_from_a_pull_request_to_manifests,
    no_secret_is_said_or_left,
    what_is_wrong_stops_them,
]


registries.run_all(TESTS, "curl", "git", "openssl", why=WHY)
