#!/usr/bin/env python3
"""What host-harness/release refuses: crates without a licence, bills that are none, versions that are not the tag's."""

import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "host-harness/release"))

import bill  # noqa: E402
import licences  # noqa: E402
import packages  # noqa: E402
import release  # noqa: E402

CHECKSUM = "0" * 64
HASH = {"hashes": [{"alg": "SHA-256", "content": "0"}]}


def crate(folder, licence=None, licence_file=None):
    file = pathlib.Path(folder) / licence_file if licence_file else None
    return packages.Crate("some", "1.0.0", licence, file, pathlib.Path(folder), "", None, CHECKSUM, linked=True)


def component(document):
    return {"type": "library", "name": "some", **document}


def bom(**more):
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", **more})


def version(tags, changelog):
    manifest = {"workspace": {"package": {"version": "1.2.0"}}}
    return lambda folder: release.refuse_another_version(manifest, tags, changelog)


def report(**told):
    part = packages.Part("some", "some", "some", "some")
    return lambda folder: licences.report(part, {("some", "1.0.0"): crate(folder, **told)}, ROOT)


def source(source, checksum=CHECKSUM):
    return lambda folder: packages.refuse_foreign(("some", "1.0.0"), source, checksum)


def schema(text):
    return lambda folder: bill.refuse_invalid(text)


# What is tried, and what the refusal says; nothing where it is none.
CASES = [
    ("an expression of SPDX", report(licence="MIT OR Apache-2.0"), None),
    ("slashes, as they once were", report(licence="MIT/Apache-2.0"), None),
    ("a file in the place of an expression", report(licence_file="LICENSE.special"), None),
    ("neither a licence nor a file", report(), "neither a licence nor a file"),
    ("a licence that SPDX does not know", report(licence="Mine-1.0"), "no licence of SPDX"),
    ("an expression that is none", report(licence="MIT OR"), "no licence of SPDX"),
    ("a file that is not there", report(licence_file="LICENSE.nowhere"), "which it has not"),
    ("a crate of the workspace", source(None, None), None),
    ("one of crates.io", source(packages.REGISTRY), None),
    ("one of crates.io without a checksum", source(packages.REGISTRY, None), "with a checksum"),
    ("one of a git repository", source("git+https://example.com/some#0123"), "not from crates.io"),
    ("a bill", schema(bom(components=[component({})])), None),
    ("a bill with a member that nobody knows", schema(bom(more=1)), "schema"),
    ("a bill with a scope that nobody knows", schema(bom(components=[component({"scope": "some"})])), "schema"),
    ("a component without a name", schema(bom(components=[{"type": "library"}])), "schema"),
    ("a hash that is none", schema(bom(components=[component(HASH)])), "schema"),
    ("a commit without a tag", version([], "## [Unreleased]\n"), None),
    ("the tag of its version", version(["v1.2.0"], "# Changelog\n\n## [1.2.0] - 2026-12-01\n\n## [1.1.0]\n"), None),
    ("the tag of another", version(["v1.3.0"], "## [1.3.0]\n"), "Cargo.toml says 1.2.0"),
    ("two tags", version(["v1.2.0", "v1.3.0"], "## [1.2.0]\n"), "Cargo.toml says 1.2.0"),
    ("a changelog that is behind", version(["v1.2.0"], "## [1.1.0]\n"), "CHANGELOG.md"),
    ("a changelog that names nothing yet", version(["v1.2.0"], "## [Unreleased]\n\n## [1.2.0]\n"), "CHANGELOG.md"),
]


def main():
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "LICENSE.special").write_text("Do as you like.\n")
        wrong = [f"{name}: {what}" for name, tried, said in CASES if (what := differs(tried, said, folder))]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(CASES) - len(wrong)} passed, {len(wrong)} failed")
    sys.exit(bool(wrong))


def differs(tried, said, folder):
    try:
        tried(folder)
    except ValueError as error:
        return None if said is not None and said in str(error) else f"it is refused with: {error}"
    return None if said is None else "it is not refused"


if __name__ == "__main__":
    main()
