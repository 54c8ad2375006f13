"""The gate: what a wheel must be before one byte of it is unpacked.

No installer checks all of this, since the index it trusts does; the store is shared between projects, and indexes are
many. The rules and who else has which of them: docs/explanation/safety.md.
"""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from email.parser import HeaderParser

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envknit.errors import UnsafeWheelError
from envknit.store.entry import NOTE, recorded_file
from envknit.wheel.archive import read_archive, read_member
from envknit.wheel.entrypoints import is_reserved, scripts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from envknit.store.entry import RecordedFile
    from envknit.wheel.archive import Member

_LONGEST_COMPONENT = 240  # bytes; every file system in use takes 255
_LONGEST_PATH = 1024  # bytes
_SIGNATURES = frozenset({"RECORD.jws", "RECORD.p7s"})
_INSTALLERS_OWN = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", NOTE})  # we say these, no wheel does
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})  # Unicode categories: controls, format marks, surrogates, private use
_LARGEST_TEXT = 64 << 20  # bytes of RECORD or METADATA


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedFile:
    """One file that may be unpacked: where it is in the archive, where it goes, and what it must hash to.

    `place` is relative to the entry: `.data/scripts` goes to `bin`, `.data/headers` to `include/python/<name>`, and
    `.data/data` to the root, as `pip install --target` has it.
    """

    member: Member
    recorded: RecordedFile
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedWheel:
    """A wheel that passed the gate.

    Args:
        dist_info: its dist-info folder.
        data_folder: its `.data` folder, whether it has one or not.
        files: what to unpack.
        record: the member that is its RECORD.
        texts: METADATA, WHEEL and entry_points.txt, as far as it has them.
        notes: what was left out, one sentence each.
    """

    dist_info: str
    data_folder: str
    files: tuple[CheckedFile, ...]
    record: Member
    texts: dict[str, str]
    notes: tuple[str, ...]


def check_wheel(fd: int, *, wheel: str, name: str, version: str) -> CheckedWheel:
    """Check an open wheel.

    Args:
        fd: open for reading.
        wheel: its file name.
        name: the distribution that the lock says it is.
        version: the version that the lock says it is.

    Raises:
        UnsafeWheelError: it breaks a rule.

    Cost: its directory, RECORD and three small files are read; nothing else is unpacked yet.
    """
    try:
        members = {member.name: member for member in read_archive(fd)}
        for member in members.values():
            _refuse_path(member.name)
        files = {path: member for path, member in members.items() if not member.is_folder}
        dist_info = _dist_info(files)
        _refuse_other_names(wheel, dist_info, name, version)
        texts = {
            text: _read_text(fd, files[f"{dist_info}/{text}"])
            for text in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
            if f"{dist_info}/{text}" in files
        }
        _refuse_other_metadata(texts, name, version)
        _refuse_scripts(texts.get("entry_points.txt", ""))
        kept, notes = _without_droppings(files, dist_info)
        recorded = _record(texts.pop("RECORD", None), dist_info)
        _refuse_unrecorded(kept, recorded, dist_info)
        checked = tuple(
            CheckedFile(member=member, recorded=recorded[path], place=_place(path, dist_info, name))
            for path, member in kept.items()
            if path in recorded
        )
        _refuse_collisions(file.place for file in checked)
        return CheckedWheel(
            dist_info=dist_info,
            data_folder=dist_info.removesuffix(".dist-info") + ".data",
            files=checked,
            record=files[f"{dist_info}/RECORD"],
            texts=texts,
            notes=tuple(notes),
        )
    except UnsafeWheelError as error:
        raise UnsafeWheelError(
            f"the wheel is not safe to unpack: {error.message}",
            hint="nothing of it was placed; tell the package's authors, or lock another version",
            wheel=wheel,
            **error.facts,
        ) from error


def scheme_folders(name: str) -> dict[str, str]:
    """Return where the parts of a wheel's `.data` folder go in the entry of this distribution."""
    headers = f"include/python/{canonicalize_name(name)}/"
    return {"purelib": "", "platlib": "", "data": "", "scripts": "bin/", "headers": headers}


def _refuse_path(path: str) -> None:
    """Refuse a member whose path is not plain, relative and the same on every file system."""
    components = path.removesuffix("/").split("/")
    facts = {"member": path.encode("unicode_escape").decode()}
    if any(part in {"", ".", ".."} for part in components) or "\\" in path or ":" in components[0]:
        raise UnsafeWheelError("a path that does not stay inside", **facts)
    is_plain = path.isascii() and path.isprintable()
    if not is_plain and any(unicodedata.category(char) in _UNSEEN for char in path):
        raise UnsafeWheelError("a path with characters that cannot be seen", **facts)
    if any(part[-1] in ". " or part[0] == " " for part in components):
        raise UnsafeWheelError("a path with a component that some file systems change", **facts)
    if not is_plain and unicodedata.normalize("NFC", path) != path:
        raise UnsafeWheelError("a path that is not in the normal form NFC", **facts)
    if len(path.encode()) > _LONGEST_PATH or max(len(part.encode()) for part in components) > _LONGEST_COMPONENT:
        raise UnsafeWheelError("a path that is too long", member=path[:80] + "...")


def _dist_info(files: Iterable[str]) -> str:
    folders = {path.partition("/")[0] for path in files if "/" in path}
    found = sorted(folder for folder in folders if folder.lower().endswith(".dist-info"))
    if len(found) != 1:
        raise UnsafeWheelError("it must have one dist-info folder", found=", ".join(found) or "none")
    own = found[0][: -len(".dist-info")] + ".data"
    foreign = sorted(folder for folder in folders if folder.lower().endswith(".data") and folder != own)
    if foreign:
        raise UnsafeWheelError("it has a data folder of another distribution", found=", ".join(foreign))
    return found[0]


def _refuse_other_names(wheel: str, dist_info: str, name: str, version: str) -> None:
    """See that the file name and the dist-info folder say what the lock says."""
    try:
        file_name, file_version, _, _ = parse_wheel_filename(wheel)
        folder_name, _, folder_version = dist_info[: -len(".dist-info")].rpartition("-")
        named = {
            "file name": (file_name, file_version),
            "dist-info folder": (canonicalize_name(folder_name), Version(folder_version.replace("_", "-"))),
        }
        locked = canonicalize_name(name), Version(version)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise UnsafeWheelError(str(error), dist_info=dist_info) from error
    for where, found in named.items():
        if found != locked:
            raise UnsafeWheelError(f"its {where} is of {found[0]} {found[1]}, and the lock says {name} {version}")


def _refuse_other_metadata(texts: dict[str, str], name: str, version: str) -> None:
    parser = HeaderParser()
    for text in ("METADATA", "WHEEL"):
        if text not in texts:
            raise UnsafeWheelError(f"it has no {text}")
    metadata = parser.parsestr(texts["METADATA"])
    try:
        found = canonicalize_name(metadata["Name"] or ""), Version(metadata["Version"] or "")
    except InvalidVersion as error:
        raise UnsafeWheelError(f"its METADATA has no version: {error}") from error
    if found != (canonicalize_name(name), Version(version)):
        raise UnsafeWheelError(f"its METADATA is of {found[0]} {found[1]}, and the lock says {name} {version}")
    wheel_version = parser.parsestr(texts["WHEEL"])["Wheel-Version"] or ""
    if wheel_version.strip().partition(".")[0] != "1":
        raise UnsafeWheelError(f"its Wheel-Version is {wheel_version or 'missing'}, and 1 is what is understood")


def _refuse_scripts(entry_points: str) -> None:
    try:
        scripts_of(entry_points)
    except ValueError as error:
        raise UnsafeWheelError(str(error)) from error


def _without_droppings(files: dict[str, Member], dist_info: str) -> tuple[dict[str, Member], list[str]]:
    """Leave out bytecode, which would be run instead of the source, and files that only an installer writes."""
    bytecode = {path for path in files if path.endswith((".pyc", ".pyo")) or "__pycache__" in path.split("/")}
    own = {path for path in files if path in {f"{dist_info}/{text}" for text in _INSTALLERS_OWN}}
    notes = []
    if bytecode:
        notes.append(f"{len(bytecode)} files of bytecode are left out: {min(bytecode)}")
    kept = {path: member for path, member in files.items() if path not in bytecode and path not in own}
    return kept, notes


def _record(text: str | None, dist_info: str) -> dict[str, RecordedFile]:
    if text is None:
        raise UnsafeWheelError("it has no RECORD")
    own = f"{dist_info}/RECORD"
    recorded: dict[str, RecordedFile] = {}
    try:
        for path, digest, size in csv.reader(text.splitlines()):
            if path == own:
                continue
            file = recorded_file(path, digest, size)
            if recorded.setdefault(path, file) != file:
                raise UnsafeWheelError("its RECORD has two rows for one file", member=path)
    except (ValueError, csv.Error) as error:
        if isinstance(error, UnsafeWheelError):
            raise
        raise UnsafeWheelError(f"its RECORD has a row that cannot be relied on: {error}") from error
    return recorded


def _refuse_unrecorded(files: dict[str, Member], recorded: dict[str, RecordedFile], dist_info: str) -> None:
    """See that RECORD names exactly the files that are there, with their sizes (PEP 376, 427)."""
    exempt = {f"{dist_info}/RECORD", *(f"{dist_info}/{signature}" for signature in _SIGNATURES)}
    own = {f"{dist_info}/{text}" for text in _INSTALLERS_OWN}
    for path, member in files.items():
        if path in exempt:
            continue
        if path not in recorded:
            raise UnsafeWheelError("it has a file that its RECORD does not name", member=path)
        if recorded[path].size not in {-1, member.size}:
            raise UnsafeWheelError("its RECORD has another size for a file", member=path)
    for path in recorded:
        if path not in files and path not in own and not path.endswith((".pyc", ".pyo")):
            raise UnsafeWheelError("its RECORD names a file that is not there", member=path)


def _place(path: str, dist_info: str, name: str) -> str:
    """Return where a file goes in the entry."""
    data = dist_info.removesuffix(".dist-info") + ".data"
    first, _, rest = path.partition("/")
    place = path
    if first == data:
        scheme, _, inside = rest.partition("/")
        folders = scheme_folders(name)
        if scheme not in folders or not inside:
            raise UnsafeWheelError("a file of its data folder has no known kind", member=path)
        place = folders[scheme] + inside
        if place.partition("/")[0].lower().endswith(".dist-info"):
            raise UnsafeWheelError("its data folder would change a dist-info folder", member=path)
    folder, _, script = place.rpartition("/")
    if folder.lower() in {"bin", "scripts"} and is_reserved(script):
        raise UnsafeWheelError("a script would stand for an interpreter", member=path)
    return place


def _refuse_collisions(places: Iterable[str]) -> None:
    """Refuse paths that some file system takes for one: by case, or a file and a folder of one name."""
    seen: dict[str, tuple[str, bool]] = {}
    for place in places:
        path, is_file = place, True
        while path:
            folded = unicodedata.normalize("NFC", path.casefold())
            if folded in seen:
                if seen[folded] != (path, False) or is_file:
                    raise UnsafeWheelError(
                        "two of its paths are one on some file systems", paths=[seen[folded][0], place]
                    )
                break  # a folder, and its parents with it, known already
            seen[folded] = path, is_file
            path, is_file = path.rpartition("/")[0], False


def _read_text(fd: int, member: Member) -> str:
    if member.size > _LARGEST_TEXT:
        raise UnsafeWheelError("a file of its dist-info folder is too large", member=member.name)
    try:
        return b"".join(read_member(fd, member)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnsafeWheelError("a file of its dist-info folder is not UTF-8", member=member.name) from error
