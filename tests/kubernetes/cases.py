#!/usr/bin/env python3
"""Holds validate.py to cases.yaml: it accepts each manifest, and each thing wrong with one is told with its path,
what was found and what is right. Exit 1 and a line for each case that is otherwise."""

import copy
import pathlib
import subprocess
import sys
import tempfile

import rules
from validate import Catalogue, read

HERE = pathlib.Path(__file__).resolve().parent


def main():
    told = read(HERE / "cases.yaml")[0]
    catalogue = Catalogue()
    manifests = {manifest["kind"]: manifest for manifest in told["manifests"]}
    wrong = []
    for kind, manifest in manifests.items():
        wrong += [f"{kind}: refused as it stands: {fault}" for fault in catalogue.faults(manifest)]
    for case in told["cases"]:
        manifest = copy.deepcopy(manifests[case["of"]])
        for path, value in case["set"].items():
            put(manifest, path.split("."), value)
        found = catalogue.faults(manifest)
        if found != case["says"]:
            wrong.append(f"{case['of']} {case['set']}: said {found}, expected {case['says']}")
    # A kind without a case would be one that nothing holds.
    known = {kind for _, kind in catalogue.custom} | set(rules.RULES)
    wrong += [f"no case for {kind}" for kind in sorted(known - {case["of"] for case in told["cases"]})]
    wrong += [problem for file in told["files"] for problem in as_file(file)]
    for problem in wrong:
        print(problem, file=sys.stderr)
    print(f"{len(manifests)} manifests, {len(told['cases'])} faults, {len(told['files'])} files")
    return 1 if wrong else 0


def put(value, path, new):
    """Sets what is at the path; nothing takes it away. A number is a place in a list, or one past its end."""
    step, rest = int(path[0]) if isinstance(value, list) else path[0], path[1:]
    if rest:
        put(value[step], rest, new)
    elif new is None:
        del value[step]
    elif isinstance(value, list) and step == len(value):
        value.append(new)
    else:
        value[step] = new


def as_file(case):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "manifest.yaml")
        file.write_text(case["text"], encoding="utf-8")
        ran = subprocess.run([sys.executable, HERE / "validate.py", file], capture_output=True, text=True)
    if ran.returncode != case["exit"] or case["says"] not in ran.stdout + ran.stderr:
        yield f"{case['text']!r}: exit {ran.returncode}, said {ran.stdout}{ran.stderr}"


sys.exit(main())
