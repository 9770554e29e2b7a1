"""The licence report of a part: each crate with its licence, and each text once. A crate that says nothing of its
licence, or nothing that SPDX knows, is refused."""

import hashlib

from license_expression import ExpressionError, get_spdx_licensing

SPDX = get_spdx_licensing()
# How crates name the files that their licences ask to be passed on.
NAMES = ("licen", "copying", "copyright", "notice", "unlicense", "authors", "patents")
# Longer than the longest licence; a file past it is something else.
MOST = 256 * 1024


def expression(crate):
    """What a crate says of its licence, in the spelling of SPDX. Before there were expressions, cargo had slashes."""
    if crate.licence is None:
        if crate.licence_file is None:
            raise ValueError(f"{crate.name} {crate.version} has neither a licence nor a file of one")
        return None
    spelled = crate.licence.replace("/", " OR ")
    try:
        return str(SPDX.parse(spelled, validate=True))
    except ExpressionError as error:
        raise ValueError(f"{crate.name} {crate.version}: {crate.licence!r} is no licence of SPDX: {error}") from None


def texts(crate, root):
    """The files that go with a crate's licence: its own, or the repository's for a crate of the workspace."""
    folder = root if crate.ours else crate.folder
    files = {file for file in folder.iterdir() if file.is_file() and is_named_so(file.name)}
    if crate.licence_file is not None:
        if not crate.licence_file.is_file():
            raise ValueError(f"{crate.name} {crate.version} names {crate.licence_file.name}, which it has not")
        files.add(crate.licence_file)
    for file in sorted(files):
        text = file.read_bytes()[:MOST].decode("utf-8", "replace")
        yield file.name, "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def is_named_so(name):
    name = name.lower()
    return name.startswith(NAMES) and not name.endswith((".rs", ".toml", ".json", ".py"))


def report(part, crates, root):
    """As text: the crates in the file, then the texts, each with those who carry it."""
    linked = sorted((crate for crate in crates.values() if crate.linked), key=lambda crate: crate.id)
    lines = [
        f"{part.file}: the licences of what it contains",
        "",
        f"{len(linked)} crates. Where a licence leaves a choice (OR), each may be taken.",
        "",
    ]
    carried, without = {}, []
    for crate in linked:
        says = expression(crate) or f"see {crate.licence_file.name}"
        lines.append(f"{crate.name} {crate.version}: {says}")
        found = list(texts(crate, root))
        for name, text in found:
            digest = hashlib.sha256(text.encode()).hexdigest()
            carried.setdefault(digest, (text, []))[1].append(f"{crate.name} {crate.version} ({name})")
        if not found:
            without.append(f"{crate.name} {crate.version}")
    if without:
        lines += ["", f"Without a text of their own, {len(without)}: {', '.join(without)}."]
    for text, carriers in sorted(carried.values(), key=lambda each: each[1]):
        lines += ["", "-" * 100, f"Of {', '.join(carriers)}:", "", text]
    return "\n".join(lines) + "\n"
