"""What a person asks for, in normal form: requirements, Python versions, environment names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.naming import canonical_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    from envknit.files.values import Value


def read_requirement(value: Value) -> str:
    """Read one requirement, a PEP 508 text or a map of name, version and extras, and write it in normal form.

    Raises:
        the value's own error: it is not a requirement, or one for a URL or path.
    """
    if isinstance(value.data, dict):
        return _from_map(value)
    return _normal(value.text(), value)


def _from_map(value: Value) -> str:
    fields = value.fields({"name", "version", "extras", "markers"})
    name = value.field("name").text()
    extras = [extra.text() for extra in fields["extras"].items()] if "extras" in fields else []
    version = fields["version"].text().strip() if "version" in fields else ""
    marker = fields["markers"].text() if "markers" in fields else ""
    if version[:1].isdigit():
        version = f"=={version}"
    text = f"{name}[{','.join(extras)}]{'' if version == '*' else version}"
    return _normal(f"{text} ; {marker}" if marker else text, value)


def _normal(text: str, value: Value) -> str:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - 19 ms, for this alone

    if _is_location(text):
        raise _no_location(text, value)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as cause:
        raise value.bad(f"`{text}` is not a requirement", hint="write it as in: flask>=3") from cause
    if requirement.marker is not None and "extra" in str(requirement.marker).replace('"', " ").split():
        raise value.bad(f"the marker of `{text}` asks for an extra", hint="an environment has no extras")
    return normal_requirement(requirement)


def _is_location(text: str) -> bool:
    return text.startswith((".", "/", "~", "-", "file:")) or "://" in text or text.endswith((".whl", ".tar.gz", ".zip"))


def _no_location(text: str, value: Value) -> Exception:
    hint = "build a wheel, put it into a folder, and name the folder under `indexes`"
    return value.bad(f"`{text}` is a URL or path: only packages of an index can be locked", hint=hint)


def normal_requirement(requirement: Requirement) -> str:
    """Write a requirement in the one form that the lock uses: canonical names, sorted extras and specifiers."""
    name = canonical_name(requirement.name)
    extras = sorted({canonical_name(extra) for extra in requirement.extras})
    text = name + (f"[{','.join(extras)}]" if extras else "") + normal_specifier(requirement.specifier)
    return f"{text}; {requirement.marker}" if requirement.marker else text


def normal_specifier(specifier: SpecifierSet) -> str:
    """Write a specifier with its clauses sorted: `<3,>=2`."""
    return ",".join(sorted(str(clause) for clause in specifier))


def read_python_version(value: Value) -> str:
    """Read which Pythons an environment is for: a specifier, or a version (`3.12`) that stands for `==3.12.*`."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - as above

    text = value.text().strip()
    if text[:1].isdigit():
        text = f"=={text}.*" if text.count(".") < 2 and not text.endswith("*") else f"=={text}"
    try:
        return normal_specifier(SpecifierSet(text))
    except InvalidSpecifier as cause:
        raise value.bad(
            f"`{value.text()}` is no Python version", hint='write it as in: python_version: ">=3.11"'
        ) from cause


def read_environment_name(value: Value, name: str) -> str:
    """Check the name of an environment: letters, digits, `-`, `_` and `.`, since a plan's file is named after it."""
    plain = name.replace("-", "a").replace("_", "a").replace(".", "a")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum() and name[-1].isalnum() and len(name) <= 64):
        raise value.bad(f"`{name}` is no name for an environment", hint="use letters, digits, `-`, `_` and `.`")
    return name
