"""The bill of materials of a part, as CycloneDX 1.6: the same text for the same commit, and valid by its schema."""

import datetime
import uuid

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

import licences

MODULE = "The gate, as the proxy-wasm module that Envoy loads"
COMMAND = "The portcullis command"
# Of names under `portcullis:bill`, so that a bill's number follows from what it is of (RFC 9562, section 5.5).
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "portcullis:bill")


def bill(part, crates, built):
    """As JSON text. `built` says of what: its commit, time, compiler, and its SHA-256."""
    components = {crate: component(found) for crate, found in crates.items()}
    [top] = [crate for crate in crates if crate[0] == part.package]
    subject = Component(
        name=part.file,
        type=ComponentType.APPLICATION,
        version=top[1],
        bom_ref=part.file,
        description=part.says,
        licenses=[LicenseExpression(licences.expression(crates[top]))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=built.sha256)],
        properties=[
            Property(name="portcullis:commit", value=built.commit),
            Property(name="portcullis:target", value=part.target),
        ],
    )
    bom = Bom(components=components.values())
    bom.serial_number = uuid.uuid5(NAMESPACE, f"{part.file} {top[1]} {built.commit} {built.sha256}")
    bom.metadata.timestamp = datetime.datetime.fromtimestamp(built.epoch, datetime.UTC)
    bom.metadata.component = subject
    bom.metadata.tools = ToolRepository(
        components=[
            Component(name="rustc", version=built.compiler, type=ComponentType.APPLICATION, bom_ref="tool:rustc")
        ]
    )
    bom.register_dependency(subject, [components[top]])
    for crate, found in crates.items():
        bom.register_dependency(components[crate], [components[needed] for needed in sorted(found.needs)])
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    refuse_invalid(text)
    return text


def component(crate):
    """A crate. What runs only where the file is built is in the bill, as excluded from the file."""
    spelled = licences.expression(crate)
    if spelled is not None:
        licence = LicenseExpression(spelled)
    else:
        licence = DisjunctiveLicense(name=f"see {crate.licence_file.name}")
    purl = PackageURL("cargo", name=crate.name, version=crate.version)
    links = [(ExternalReferenceType.VCS, crate.repository)] if crate.repository else []
    return Component(
        name=crate.name,
        version=crate.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        description=" ".join(crate.description.split()),
        scope=ComponentScope.REQUIRED if crate.linked else ComponentScope.EXCLUDED,
        licenses=[licence],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=crate.checksum)] if crate.checksum else [],
        external_references=[ExternalReference(type=kind, url=XsUri(url)) for kind, url in links],
    )


def refuse_invalid(text):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise ValueError(f"this is no bill of materials by CycloneDX's schema: {error}")
