#!/usr/bin/env python3
"""Holds Kubernetes manifests to their schemas: `validate.py FILE...`, each with one or more YAML documents.

A line for each fault, `FILE: KIND/NAME: PATH: found ...; right: ...`, and exit 1; 2 where a file cannot be read.
Kubernetes' own kinds come from `kubernetes-validate`, in which an unknown field is a fault; the kinds of Istio,
Envoy Gateway and the Gateway API from `schemas/`, which name their sources. What a schema cannot say is in
`rules.py`. Nothing is fetched.
"""

import difflib
import json
import pathlib
import re
import sys

import jsonschema
import referencing
import referencing.jsonschema
import yaml
from kubernetes_validate import utils as kubernetes

import rules

SCHEMAS = pathlib.Path(__file__).resolve().parent / "schemas"
# The newest Kubernetes that kubernetes-validate, as pinned, knows.
KUBERNETES = kubernetes.latest_version()
CORE = "core"
METADATA = "core#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def main(files):
    if not files:
        print("validate.py: no file; usage: validate.py FILE...", file=sys.stderr)
        return 2
    catalogue, documents, faults = Catalogue(), 0, 0
    for file in files:
        try:
            manifests = [document for document in read(file) if document is not None]
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            print(f"validate.py: {file}: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        # A file of comments alone would otherwise pass.
        if not manifests:
            print(f"{file}: -: found no document; right: at least one manifest")
            faults += 1
        for manifest in manifests:
            documents += 1
            for fault in catalogue.faults(manifest):
                print(f"{file}: {fault}")
                faults += 1
    print(f"validate.py: {documents} manifests, {faults} faults", file=sys.stderr)
    return 1 if faults else 0


class Strict(yaml.SafeLoader):
    """YAML in which a key that is there twice is an error, as it is to a strict API server."""

    def construct_mapping(self, node, deep=False):
        seen = []
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} is there twice", key.start_mark
                )
            seen.append(key.value)
        return super().construct_mapping(node, deep)


def read(file):
    return list(yaml.load_all(pathlib.Path(file).read_text(encoding="utf-8"), Loader=Strict))


class Catalogue:
    """The kinds that are known, and how each is to look."""

    def __init__(self):
        core = own("_definitions")
        shared = closed(load("shared"))
        resources = [(CORE, core), (core["$id"], core), ("shared", shared)]
        as_2020 = referencing.jsonschema.DRAFT202012.create_resource
        self.registry = referencing.Registry().with_resources((name, as_2020(schema)) for name, schema in resources)
        self.custom = {}
        for path in sorted(SCHEMAS.glob("*.yaml")):
            if path.stem != "shared":
                described = load(path.stem)
                for api_version in described["apiVersions"]:
                    self.custom[api_version, described["kind"]] = described

    def faults(self, manifest):
        """Each fault as text: the schema's first, then, where that is content, the rules'."""
        if not isinstance(manifest, dict):
            return [f"-: found {shown(manifest)}; right: a manifest, with apiVersion and kind"]
        api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
        for key in ("apiVersion", "kind"):
            if not isinstance(manifest.get(key), str):
                return [f"-: {key}: found {shown(manifest.get(key))}; right: text"]
        metadata = manifest.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        where = f"{kind}/{name}"
        schema = self.schema(api_version, kind)
        if schema is None:
            known = one_of(sorted(version for version, other in self.custom if other == kind))
            right = known or "Kubernetes' own, or one that stands in tests/kubernetes/schemas"
            return [f"{where}: apiVersion: found {api_version}; right: {right}"]
        validator = jsonschema.Draft202012Validator(schema, registry=self.registry)
        errors = sorted(validator.iter_errors(manifest), key=lambda error: [str(part) for part in error.absolute_path])
        # The value of a secret never reaches a log.
        hidden = kind == "Secret"
        told = [f"{where}: {line}" for error in errors for line in explained(error, hidden)]
        if not told:
            cluster_scoped = self.custom.get((api_version, kind), {}).get("clusterScoped", False)
            for path, found, right in rules.broken(manifest, cluster_scoped):
                told.append(f"{where}: {path}: found {plain(found)}; right: {right}")
        return told

    def schema(self, api_version, kind):
        described = self.custom.get((api_version, kind))
        if described is not None:
            fields = {
                "apiVersion": {"const": api_version},
                "kind": {"const": kind},
                "metadata": {"$ref": METADATA},
                "spec": described["spec"],
            }
            schema = {"type": "object", "required": ["metadata", "spec"], "properties": fields}
            return closed({**schema, "$defs": described.get("$defs", {})})
        # Another group's kind may have the name of one of Kubernetes' own.
        group = api_version.rpartition("/")[0]
        if "." in group and not group.endswith(".k8s.io"):
            return None
        name = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
        try:
            return own(f"{kind.lower()}-{name}")
        except FileNotFoundError:
            return None


def own(name):
    """A schema of Kubernetes' own, as the package has it."""
    return kubernetes.schema_contents(f"kubernetes-json-schema/v{KUBERNETES}-local-strict/{name}.json", KUBERNETES)


def load(name):
    return yaml.load((SCHEMAS / f"{name}.yaml").read_text(encoding="utf-8"), Loader=Strict)


def closed(schema):
    """A field that a schema does not name is unknown, unless the schema says what it takes."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema and "additionalProperties" not in schema:
        shut["additionalProperties"] = False
    return shut


def explained(error, hidden):
    """Where it is, what was found and what is right: a line for each unknown or missing field."""
    path = written(error.absolute_path)
    found = kind_of(error.instance) if hidden else shown(error.instance)
    rule, wanted = error.validator, error.validator_value
    if rule == "additionalProperties" and wanted is False:
        known = sorted(error.schema.get("properties", {}))
        for name in sorted(set(error.instance) - set(known), key=str):
            near = difflib.get_close_matches(str(name), known, 1)
            yield f"{path}: found an unknown field {name}; right: {near[0] if near else one_of(known)}"
    elif rule == "required":
        for name in wanted:
            if name not in error.instance:
                yield f"{path}: found no {name}; right: it must be there"
    elif rule == "enum":
        yield f"{path}: found {found}; right: {one_of(wanted)}"
    elif rule == "const":
        yield f"{path}: found {found}; right: {shown(wanted)}"
    elif rule == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        yield f"{path}: found {found}; right: {one_of(kind for kind in kinds if kind != 'null')}"
    elif rule == "pattern":
        yield f"{path}: found {found}; right: text that matches {wanted}"
    elif rule in BOUNDS:
        yield f"{path}: found {found}; right: {BOUNDS[rule].format(wanted)}"
    elif rule in ("anyOf", "oneOf") and error.context:
        lines = (line for part in error.context for line in explained(part, hidden))
        ways = dict.fromkeys(line.rpartition("right: ")[2] for line in lines)
        yield f"{path}: found {found}; right: one of: " + ", or: ".join(ways)
    else:
        yield f"{path}: found {found}; right: what {rule} says: {shown(wanted)}"


BOUNDS = {
    "minimum": "{} or more",
    "maximum": "{} or less",
    "minLength": "{} characters or more",
    "maxLength": "{} characters or fewer",
    "minItems": "{} elements or more",
    "maxItems": "{} elements or fewer",
    "minProperties": "{} fields or more",
    "maxProperties": "{} fields or fewer",
}


def written(path):
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "-"


def shown(value):
    """A value as JSON, shortened."""
    if value is None:
        return "nothing"
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def plain(value):
    """What a rule found: its own words as they are."""
    return value if isinstance(value, str) else shown(value)


def kind_of(value):
    return {dict: "an object", list: "a list", str: "text", bool: "a boolean"}.get(type(value), "a number")


def one_of(values):
    return ", ".join(str(value) for value in values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
