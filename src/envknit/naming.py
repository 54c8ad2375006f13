"""The one place where names and versions are normalised and turned into paths.

Standard library only, and no `re`: the program side uses it too.
"""

from __future__ import annotations

from envknit.errors import StoreError

_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_PART = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+!")
_MOST = 240  # characters of one path component; every file system in use takes 255 bytes

ENTRIES = "packages/site-packages"  # where entries lie in the store: tools that resolve links know a library by it


def canonical_name(name: str) -> str:
    """Normalise a distribution's name as PEP 503 says: lower case, runs of `-`, `_` and `.` as one `-`."""
    try:
        name = name.lower().replace("_", "-").replace(".", "-")
    except AttributeError:
        raise TypeError(f"the name of a distribution is a str such as 'requests', not {name!r}") from None
    while "--" in name:
        name = name.replace("--", "-")
    return name


def guest_tag(version: str) -> str:
    """Turn a version into what follows the `@` in a guest's module name: `2.28.2` gives `2_28_2`."""
    return "".join(c if c.isalnum() else "_" for c in version)


def store_folder(name: str, version: str, wheel: str, sha256: str) -> str:
    """Name the store entry of one artifact, relative to the store, with `/` between the parts.

    This is the only function that builds such a path, and it refuses whatever would leave the store
    (GHSA-c59q-g84q-2gj5 and its family: a lock's name or version joined into a path unchecked).

    Args:
        name: the distribution's name, in any spelling.
        version: its version, normalised (PEP 440).
        wheel: the wheel's file name; its tags become part of the folder.
        sha256: hexadecimal digest of the artifact that the lock names.

    Raises:
        StoreError: a part is not what its kind allows, or they are too long together.
    """
    name = canonical_name(name)
    parts = wheel.removesuffix(".whl").split("-")
    tags = parts[-3:]
    facts = {"name": name, "version": version, "wheel": wheel, "sha256": sha256}
    if not (name and set(name) <= _NAME and name[0] != "-" != name[-1]):
        raise StoreError("not a distribution's name", **facts)
    if not _is_part(version):
        raise StoreError("not a version", **facts)
    if len(parts) not in (5, 6) or not wheel.endswith(".whl") or not all(map(_is_part, tags)):
        raise StoreError("not a wheel's file name", **facts)
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise StoreError("not a sha256 in lower-case hexadecimal", **facts)
    start, digest = f"{name}-{version}-{tags[0]}-{tags[1]}-", f"-{sha256[:8]}"
    platforms = tags[2][: max(0, _MOST - len(start + digest))].rstrip(
        "._"
    )  # wheels can be for a dozen; the digest tells
    if not platforms:
        raise StoreError("name, version and tags are too long for the name of a folder", **facts)
    return f"{ENTRIES}/{start}{platforms}{digest}"


def parse_store_folder(folder: str) -> tuple[str, str, str, str] | None:
    """Part the name of a store entry into name, version, tags and digest; None where it is not one."""
    parts = folder.removeprefix(ENTRIES + "/").rsplit("-", 5)
    return (parts[0], parts[1], "-".join(parts[2:5]), parts[5]) if len(parts) == 6 else None


def _is_part(text: str) -> bool:
    return bool(text) and set(text) <= _PART and text[0].isalnum() and text[-1].isalnum()
