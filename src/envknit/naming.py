"""The one place where names and versions are normalised and turned into paths.

Standard library only, and no `re`: the program side uses it too.
"""

from __future__ import annotations

from envknit.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable

_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_PART = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+!")
_MOST = 240  # characters of one path component; every file system in use takes 255 bytes

ENTRIES = "packages/site-packages"  # where entries lie in the store: tools that resolve links know a library by it
BUNDLE = f"{ENTRIES}/bundle="  # begins the folder of a bundle, which no import statement can say either


def canonical_name(name: str) -> str:
    """Normalise a distribution's name as PEP 503 says: lower case, runs of `-`, `_` and `.` as one `-`."""
    try:
        name = name.lower().replace("_", "-").replace(".", "-")
    except AttributeError:
        raise TypeError(f"the name of a distribution is a str such as 'requests', not {name!r}") from None
    while "--" in name:
        name = name.replace("--", "-")
    return name


def version_key(version: str) -> str:
    """Bring the spellings of one version to one text (PEP 440): `v1.16`, `1.16.0` and `1.016` mean the same.

    An epoch and a local part count: `1!1.0` and `1.0+cpu` are no `1.0`.
    """
    try:
        public, _, local = version.strip().lower().removeprefix("v").partition("+")
    except AttributeError:
        raise TypeError(f"a version is a str such as '2.31.0', not {version!r}") from None
    epoch, _, rest = public.rpartition("!")
    end = next((at for at, sign in enumerate(rest) if sign not in "0123456789."), len(rest))
    release = [number.lstrip("0") for number in rest[:end].split(".")]
    while release and not release[-1]:
        del release[-1]
    suffix = rest[end:]
    for spelling, normal in (("alpha", "a"), ("beta", "b"), ("preview", "rc"), ("pre", "rc")):
        suffix = suffix.replace(spelling, normal)
    suffix = "".join(sign for sign in suffix if sign not in "-_.")
    local = local.replace("-", ".").replace("_", ".")
    return f"{epoch.lstrip('0')}!{'.'.join(release)}{suffix}+{local}"


def guest_tag(version: str) -> str:
    """Turn a version into what follows the `@` in a guest's module name: `2.28.2` gives `2_28_2`.

    Only the dot has a meaning in a module's name. `+`, `!` and `-` stay what they are, so `1.0.1`, `1.0+1` and `1!0.1`
    are three tags; PEP 440's normal form has no `_` of its own.
    """
    return version.replace("_", "__").replace(".", "_")


def main_module(distribution: str, names: Iterable[str], namespaces: Container[str], modules: Iterable[str]) -> str:
    """Choose the module that a distribution is mainly; `""` where it has none.

    The one of its name (`yaml_x` for yaml-x, `jaraco.functools` within a namespace package); else the only public one,
    but for namespace packages; else the first whose name begins alike; else the first public one.

    Args:
        distribution: its canonical name.
        names: the top-level import names under which it has code.
        namespaces: those of them that are namespace packages.
        modules: dotted names of what lies in these.
    """
    names = sorted(names)
    for module in (*names, *sorted(modules)):
        if canonical_name(module) == distribution:
            return module
    public = [name for name in names if not name.startswith("_")] or names
    regular = [name for name in public if name not in namespaces]
    alike = [name for name in public if _are_alike(canonical_name(name), distribution)]
    return regular[0] if len(regular) == 1 else next(iter([*alike, *public]), "")


def _are_alike(name: str, other: str) -> bool:
    return name.startswith(other) or other.startswith(name)


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
    left = max(0, _MOST - len(start + digest))
    platforms = tags[2][:left].rstrip("._")  # a wheel can be for a dozen of them; the digest tells such apart
    if not platforms:
        raise StoreError("name, version and tags are too long for the name of a folder", **facts)
    return f"{ENTRIES}/{start}{platforms}{digest}"


def parse_store_folder(folder: str) -> tuple[str, str, str, str] | None:
    """Part the name of a store entry into name, version, tags and digest; None where it is not one."""
    parts = folder.removeprefix(ENTRIES + "/").rsplit("-", 5)
    return (parts[0], parts[1], "-".join(parts[2:5]), parts[5]) if len(parts) == 6 else None


def _is_part(text: str) -> bool:
    return bool(text) and set(text) <= _PART and text[0].isalnum() and text[-1].isalnum()
