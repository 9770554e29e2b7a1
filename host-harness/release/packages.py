"""What a part of a release is made of: the crates that cargo builds it from, and what cargo knows of each."""

import json
import pathlib
import re
import subprocess
import tomllib
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
LINE = re.compile(r"^(?P<depth>\d+)(?P<name>\S+) v(?P<version>\S+)")


@dataclass(frozen=True)
class Part:
    """A file of a release: what cargo builds it from, and for which target."""

    package: str
    target: str
    file: str
    says: str


@dataclass
class Crate:
    name: str
    version: str
    licence: str | None
    licence_file: pathlib.Path | None
    folder: pathlib.Path
    description: str
    repository: str | None
    # SHA-256 of the .crate file, as Cargo.lock has it; a crate of the workspace has none.
    checksum: str | None
    # Whether any of it is in the file: what only build scripts and macros run on the building machine is not.
    linked: bool = False
    needs: set[tuple[str, str]] = field(default_factory=set)

    @property
    def id(self):
        return self.name, self.version

    @property
    def ours(self):
        return self.checksum is None


def crates(part):
    """The crates of a part by name and version, its own package among them."""
    known = described(part)
    found = {}
    for edges, linked in (("normal,build", False), ("normal,no-proc-macro", True)):
        for crate, needs in tree(part, edges).items():
            if crate not in known:
                raise ValueError(f"cargo builds {crate}, which Cargo.lock does not have")
            found.setdefault(crate, known[crate])
            found[crate].linked |= linked
            found[crate].needs |= needs
    return found


def tree(part, edges):
    """Who needs whom, by name and version, with the features that this part asks for and no others."""
    lines = cargo(
        "tree", "-p", part.package, "--target", part.target, "-e", edges, "--prefix", "depth", "--charset", "ascii"
    )
    found, above = {}, []
    for line in lines.splitlines():
        match = LINE.match(line)
        if match is None:
            raise ValueError(f"cargo tree says something unforeseen: {line!r}")
        depth, crate = int(match["depth"]), (match["name"], match["version"])
        del above[depth:]
        if above:
            found[above[-1]].add(crate)
        found.setdefault(crate, set())
        above.append(crate)
    return found


def described(part):
    """Every crate that could be among them; for other targets cargo would fetch more."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    locked = {(each["name"], each["version"]): each for each in lock["package"]}
    found = {}
    # What build scripts and macros are made of is for the building machine.
    targets = ["--filter-platform", "host-tuple", "--filter-platform", part.target]
    for package in json.loads(cargo("metadata", "--format-version", "1", *targets))["packages"]:
        crate = package["name"], package["version"]
        checksum = locked[crate].get("checksum")
        refuse_foreign(crate, package["source"], checksum)
        folder = pathlib.Path(package["manifest_path"]).parent
        file = package["license_file"]
        found[crate] = Crate(
            *crate,
            licence=package["license"],
            licence_file=folder / file if file else None,
            folder=folder,
            description=package["description"] or "",
            repository=package["repository"],
            checksum=checksum,
        )
    return found


def refuse_foreign(crate, source, checksum):
    if source is not None and (source != REGISTRY or checksum is None):
        raise ValueError(f"{' '.join(crate)} is from {source}, not from crates.io with a checksum")


def manifest():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())


def cargo(*arguments):
    done = subprocess.run(["cargo", *arguments, "--locked"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ValueError(f"cargo {arguments[0]} failed")
    return done.stdout
