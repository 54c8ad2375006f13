"""What a person asks for, in normal form: requirements, Python versions, environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.files.sources import Source, is_of_ssh, parse_source
from envknit.naming import canonical_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    from envknit.files.values import Value

_SOURCE_KEYS = frozenset({"path", "git", "url", "rev", "tag", "branch", "subdirectory", "editable", "index"})


def read_requirement(value: Value, *, base: str = "") -> str:
    """Read one requirement, a PEP 508 text or a map of name, version and extras, and write it in normal form.

    Args:
        value: where it stands.
        base: the folder that the paths in it are relative to, itself relative to the lock's folder.

    Returns:
        PEP 508 text with canonical names and sorted extras; a requirement with a source is `name @ SOURCE ; marker`.

    Raises:
        the value's own error: it is not a requirement, or its source is not understood.
    """
    if isinstance(value.data, dict):
        return _from_map(value, base)
    return _normal(value.text(), value, base)


def _from_map(value: Value, base: str) -> str:
    fields = value.fields({"name", "version", "extras", "markers", *_SOURCE_KEYS})
    name = value.field("name").text()
    extras = [extra.text() for extra in fields["extras"].items()] if "extras" in fields else []
    version = fields["version"].text().strip() if "version" in fields else ""
    marker = fields["markers"].text() if "markers" in fields else ""
    if version[:1].isdigit():
        version = f"=={version}"
    told = {key: field for key, field in fields.items() if key in _SOURCE_KEYS}
    source = read_source(told, value, base) if told else None
    if source and source.kind == "index":
        source, version = None, f" @ {source}#{version}".rstrip("#*")
    place = f" @ {source} " if source else "" if version == "*" else version
    text = f"{name}[{','.join(extras)}]{place}"
    return _normal(f"{text} ; {marker}" if marker else text, value, "")


def read_source(fields: dict[str, Value], value: Value, base: str) -> Source:
    """Read a source from a table, in the words of uv: `path`, `git`, `url` or `index` and what goes with each.

    Args:
        fields: the keys of the table that tell the source.
        value: the table, for complaints.
        base: as for `read_requirement`.
    """
    kinds = sorted(fields.keys() & {"path", "git", "url", "index"})
    if len(kinds) != 1:
        raise value.bad("one of `path`, `git`, `url` and `index` was expected", hint="write it as in: {path: ../lib}")
    (kind,) = kinds
    allowed = {"path": {"editable"}, "git": {"rev", "tag", "branch", "subdirectory"}, "url": {"subdirectory"}}
    if stray := sorted(fields.keys() - {kind} - allowed.get(kind, set())):
        raise fields[stray[0]].bad(f"`{stray[0]}` does not go with `{kind}`")
    start = {"path": "", "git": "git+", "url": "", "index": "index+"}[kind]
    place = fields[kind].text()
    read = parse_source(f"{start}{place.removeprefix(start)}", fields[kind], base=base)
    if read.kind != kind:
        raise fields[kind].bad(f"`{place}` is not a {kind}")
    revs = [fields[key].text() for key in ("rev", "tag", "branch") if key in fields]
    return Source(
        kind=kind,
        location=read.location,
        rev=revs[0] if revs else read.rev,
        sha256=read.sha256,
        subdirectory=fields["subdirectory"].text() if "subdirectory" in fields else read.subdirectory,
        editable="editable" in fields and fields["editable"].flag(),
    )


def _normal(text: str, value: Value, base: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement  # 19 ms, for this alone

    try:
        if is_of_ssh(text):  # `git@host:path` reads as a package named `git` at a path
            parse_source(text, value)
        requirement = Requirement(text)
    except InvalidRequirement as cause:
        if is_location(text):
            hint = "give the package's name, as in: lib @ file:../lib"
            raise value.bad(f"`{text}` is a URL or path without a name", hint=hint) from cause
        raise value.bad(f"`{text}` is not a requirement", hint="write it as in: flask>=3") from cause
    if requirement.marker is not None and "extra" in str(requirement.marker).replace('"', " ").split():
        raise value.bad(f"the marker of `{text}` asks for an extra", hint="an environment has no extras")
    if requirement.url is not None and not requirement.url.startswith("index+"):
        requirement.url = str(parse_source(requirement.url, value, base=base))
    return normal_requirement(requirement)


def is_location(text: str) -> bool:
    """Whether a text is a URL or path, with no name before it."""
    return (
        text.startswith((".", "/", "~", "-", "file:"))
        or "://" in text
        or text.endswith((".whl", ".tar.gz", ".zip"))
        or is_of_ssh(text)
    )


def normal_requirement(requirement: Requirement) -> str:
    """Write a requirement in the one form that the lock uses: canonical names, sorted extras and specifiers."""
    name = canonical_name(requirement.name)
    extras = sorted({canonical_name(extra) for extra in requirement.extras})
    text = name + (f"[{','.join(extras)}]" if extras else "")
    if requirement.url is not None:
        return f"{text} @ {requirement.url}" + (f" ; {requirement.marker}" if requirement.marker else "")
    text += normal_specifier(requirement.specifier)
    return f"{text}; {requirement.marker}" if requirement.marker else text


def narrowed(requirement: str, marker: str) -> str:
    """Return a requirement in normal form that counts only where a marker holds, too; `""` always holds."""
    from packaging.markers import Marker
    from packaging.requirements import Requirement

    read = Requirement(requirement)
    if marker:
        read.marker = Marker(f"({marker}) and ({read.marker})" if read.marker else marker)
    return normal_requirement(read)


def name_in(requirement: str) -> str:
    """Return the name of a requirement in normal form."""
    name = requirement.partition(" ")[0]
    for stop in "[<>=!~;":
        name = name.partition(stop)[0]
    return name


def normal_specifier(specifier: SpecifierSet) -> str:
    """Write a specifier with its clauses sorted: `<3,>=2`."""
    return ",".join(sorted(str(clause) for clause in specifier))


def bound_to_index(requirement: Requirement, url: str) -> str:
    """Write a requirement that one index alone answers: `torch @ index+https://…#>=2`, its specifier behind the `#`."""
    requirement.url = f"index+{url}#{normal_specifier(requirement.specifier)}".rstrip("#")
    return normal_requirement(requirement)


def source_of(requirement: Requirement, value: Value) -> tuple[SpecifierSet, Source | None]:
    """Part a requirement in normal form into the versions that will do and where they must come from."""
    from packaging.specifiers import SpecifierSet

    if requirement.url is None:
        return requirement.specifier, None
    specifier = requirement.url.partition("#")[2] if requirement.url.startswith("index+") else ""
    return SpecifierSet(specifier), parse_source(requirement.url, value)


def read_python_version(value: Value) -> str:
    """Read which Pythons an environment is for: a specifier, or a version (`3.12`) that stands for `==3.12.*`."""
    return _specifier(value.text().strip(), value, "Python version", 'python_version: ">=3.11"')


def read_node_version(value: Value) -> str:
    """Read which Nodes an environment is for: a specifier, or a version (`20`, `v20.11`) that stands for `==20.*`."""
    text = value.text().strip()
    text = text[1:] if text[:1] == "v" else text
    return _specifier(text, value, "Node version", 'node_version: "20"')


def _specifier(text: str, value: Value, what: str, example: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if text[:1].isdigit():
        text = f"=={text}.*" if text.count(".") < 2 and not text.endswith("*") else f"=={text}"
    try:
        return normal_specifier(SpecifierSet(text))
    except InvalidSpecifier as cause:
        raise value.bad(f"`{value.text()}` is no {what}", hint=f"write it as in: {example}") from cause


def read_environment_name(value: Value, name: str) -> str:
    """Check the name of an environment: letters, digits, `-`, `_` and `.`, since a plan's file is named after it."""
    plain = name.replace("-", "a").replace("_", "a").replace(".", "a")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum() and name[-1].isalnum() and len(name) <= 64):
        raise value.bad(f"`{name}` is no name for an environment", hint="use letters, digits, `-`, `_` and `.`")
    return name
