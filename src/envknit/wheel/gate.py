"""The gate: what a wheel must be before one byte of it is unpacked.

No installer checks all of this, since the index it trusts does; the store is shared between projects, and indexes are
many. The rules and who else has which of them: docs/explanation/security.md.
"""

from __future__ import annotations

import re
import unicodedata
from csv import Error as CsvError
from dataclasses import dataclass
from email.parser import HeaderParser

from installer.records import InvalidRecordEntry, RecordEntry, parse_record_file
from packaging.utils import InvalidName, InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envknit.errors import UnsafeWheelError
from envknit.store.entry import NOTE, data_folder
from envknit.wheel.archive import read_archive, read_file
from envknit.wheel.entrypoints import is_reserved, scripts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from email.message import Message

    from envknit.wheel.archive import ArchivedFile

_LONGEST_COMPONENT = 240  # bytes; every file system in use takes 255
_USUAL_PATH = re.compile(r"(?:\w(?:[\w.+-]*\w)?/)*\w(?:[\w.+-]*\w)?", re.ASCII)  # breaks no rule, like nearly all
_LONGEST_PATH = 1024  # bytes
_MOST_PATHS = 400_000  # files and folders
_MOST_PTH = 64 << 10  # bytes of all `.pth` files; real ones have one line
_LARGEST_TEXT = 16 << 20  # bytes of RECORD or METADATA; the RECORD of 30,000 files has 4 MB
# Unicode categories: controls, format marks, surrogates, private use, separators of lines and paragraphs
_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_UNSEEN_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")  # fillers of Hangul
# Written by installers only, or void as soon as RECORD is written anew (signatures of it)
_LEFT_OUT = frozenset({"RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json", NOTE})


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedFile:
    """One file that may be unpacked, and where it goes.

    `place` is relative to the entry. What the `.data` folder has for site-packages goes there; its other parts lie in a
    folder of its name as they would under a prefix: `bin`, `include/<name>`, `share` and whatever else.
    """

    file: ArchivedFile
    place: str
    is_executable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedWheel:
    """A wheel that passed the gate.

    Args:
        dist_info: its dist-info folder.
        files: what to unpack.
        record: the rows of its RECORD, by path, as far as it can be read.
        absent: files that RECORD names and that are not there.
        texts: METADATA, WHEEL and entry_points.txt, as far as it has them.
        notes: what was left out, one sentence each.
    """

    dist_info: str
    files: tuple[CheckedFile, ...]
    record: dict[str, RecordEntry]
    absent: tuple[str, ...]
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

    Cost: its directory and four small files are read; nothing else is unpacked yet.
    """
    try:
        return _check(fd, wheel, name, version)
    except UnsafeWheelError as error:
        raise UnsafeWheelError(
            f"the wheel is not safe to unpack: {error.message}",
            hint="nothing of it was placed; tell the package's authors, or lock another version",
            wheel=wheel,
            **error.facts,
        ) from error


def _check(fd: int, wheel: str, name: str, version: str) -> CheckedWheel:
    members = read_archive(fd)
    for member in members:
        _refuse_path(member.name)
    files = {file.name: file for file in members if not file.name.endswith("/")}
    dist_info = _dist_info(files)
    _refuse_other_names(wheel, dist_info, name, version)
    texts = {
        text: _read_text(fd, files[f"{dist_info}/{text}"])
        for text in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
        if f"{dist_info}/{text}" in files
    }
    _refuse_other_metadata(texts, name, version)
    try:
        scripts_of(texts.get("entry_points.txt", ""))
    except ValueError as error:
        raise UnsafeWheelError(str(error)) from error
    if (
        sum(file.info.file_size for path, file in files.items() if "/" not in path and path.endswith(".pth"))
        > _MOST_PTH
    ):
        raise UnsafeWheelError("its .pth files are too large")  # each line may put a folder on `sys.path`
    left_out = {f"{dist_info}/{text}" for text in _LEFT_OUT}
    bytecode = {path for path in files if _is_stale_bytecode(path, files)}
    data = data_folder(dist_info)
    headers = f"{data}/include/{canonicalize_name(name)}/"
    schemes = {"purelib": "", "platlib": "", "data": f"{data}/", "scripts": f"{data}/bin/", "headers": headers}
    checked = tuple(
        _checked_file(file, data, schemes)
        for path, file in files.items()
        if path not in left_out and path not in bytecode
    )
    # Folders of these names would be in the way of what is written
    _refuse_collisions([*(file.place for file in checked), *sorted(left_out)])
    notes = [f"{len(bytecode)} files of bytecode are left out: {min(bytecode)}"] if bytecode else []
    record = _rows(texts.pop("RECORD"))
    return CheckedWheel(
        dist_info=dist_info,
        files=checked,
        record=record,
        absent=tuple(sorted(path for path in record.keys() - files.keys() - left_out if not path.endswith(".pyc"))),
        texts=texts,
        notes=tuple(notes),
    )


def _refuse_path(path: str) -> None:
    """Refuse a member whose path is not plain, relative and the same on every file system."""
    if len(path) <= _LONGEST_COMPONENT and _USUAL_PATH.fullmatch(path):
        return
    components = path.removesuffix("/").split("/")
    facts = {"member": path.encode("unicode_escape").decode()}
    if any(part in {"", ".", ".."} for part in components) or "\\" in path or ":" in components[0]:
        raise UnsafeWheelError("a path that does not stay inside", **facts)
    if path.endswith("/"):
        return  # folders are made for files alone; wheels of pyarrow have an empty one named `pyarrow.`
    is_plain = path.isascii() and path.isprintable()
    if not is_plain and any(unicodedata.category(c) in _UNSEEN_KINDS or c in _UNSEEN_LETTERS for c in path):
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
    if len(found) != 1 or not found[0].endswith(".dist-info"):
        raise UnsafeWheelError("it must have one dist-info folder", found=", ".join(found) or "none")
    own = data_folder(found[0])
    foreign = sorted(folder for folder in folders if folder.lower().endswith(".data") and folder != own)
    if foreign:
        raise UnsafeWheelError("it has a data folder of another distribution", found=", ".join(foreign))
    return found[0]


def _refuse_other_names(wheel: str, dist_info: str, name: str, version: str) -> None:
    """See that the file name and the dist-info folder say what the lock says."""
    if any(char.isspace() for char in wheel):  # `Version` strips it, and others would not
        raise UnsafeWheelError("a space in the name of its file")
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
    for text in ("METADATA", "WHEEL", "RECORD"):
        if text not in texts:
            raise UnsafeWheelError(f"it has no {text}")
    metadata, wheel = (HeaderParser().parsestr(texts[text]) for text in ("METADATA", "WHEEL"))
    try:
        found = canonicalize_name(_one(metadata, "Name"), validate=True), Version(_one(metadata, "Version"))
    except (InvalidName, InvalidVersion) as error:
        raise UnsafeWheelError(f"its METADATA has no name or version: {error}") from error
    if found != (canonicalize_name(name), Version(version)):
        raise UnsafeWheelError(f"its METADATA is of {found[0]} {found[1]}, and the lock says {name} {version}")
    wheel_version = _one(wheel, "Wheel-Version")
    if wheel_version.partition(".")[0] != "1":
        raise UnsafeWheelError(f"its Wheel-Version is {wheel_version!r}, and 1 is what is understood")


def _one(headers: Message, name: str) -> str:
    found = headers.get_all(name, [""])
    if len(found) > 1:  # readers take the first or the last
        raise UnsafeWheelError(f"it says {name} twice")
    return str(found[0]).strip()


def _is_stale_bytecode(path: str, files: Container[str]) -> bool:
    """Tell whether a file is bytecode that would run instead of a source beside it, or that no Python reads.

    Some vendors ship bytecode only: there it is the module.
    """
    is_cache = path.endswith(".pyo") or "__pycache__" in path.split("/")
    return is_cache or (path.endswith(".pyc") and path.removesuffix("c") in files)


def _rows(text: str) -> dict[str, RecordEntry]:
    """Read RECORD as far as it can be read: the digest of the whole file vouches for the wheel, not its RECORD."""
    rows: dict[str, RecordEntry] = {}
    try:
        for elements in parse_record_file(text.splitlines()):
            path, row = elements[0], RecordEntry.from_elements(*elements)
            rows[path] = row if rows.get(path, row) == row else RecordEntry(path, None, None)
    except (InvalidRecordEntry, CsvError):
        pass  # what follows is not named, and told so
    return rows


def _checked_file(file: ArchivedFile, data: str, schemes: Mapping[str, str]) -> CheckedFile:
    """Find out where a file goes in the entry.

    Args:
        file: which.
        data: the data folder of the wheel.
        schemes: where each folder of that goes.
    """
    place, is_script = file.name, False
    if place.startswith(data) and place[len(data) : len(data) + 1] in {"", "/"}:
        scheme, _, inside = place[len(data) + 1 :].partition("/")
        if scheme not in schemes or not inside:
            raise UnsafeWheelError("a file of its data folder has no known kind", member=file.name)
        place, is_script = schemes[scheme] + inside, scheme == "scripts"
        if inside.partition("/")[0].lower().endswith(".dist-info"):
            raise UnsafeWheelError("its data folder would change a dist-info folder", member=file.name)
    folder, _, script = place.rpartition("/")
    if is_reserved(script) and folder.lower() in {f"{data}/bin".lower(), f"{data}/scripts".lower()}:
        raise UnsafeWheelError("a script would stand for an interpreter", member=file.name)
    is_executable = is_script or bool(file.info.external_attr >> 16 & 0o111)
    return CheckedFile(file=file, place=place, is_executable=is_executable)


def _refuse_collisions(places: Iterable[str]) -> None:
    """Refuse paths that some file system takes for one: by case, or a file and a folder of one name."""
    seen: dict[str, tuple[str, bool]] = {}
    for place in places:
        if len(seen) > _MOST_PATHS:  # each member can have 500 folders of its own
            raise UnsafeWheelError("it has too many folders")
        path, is_file = place, True
        while path:
            folded = path.lower() if path.isascii() else unicodedata.normalize("NFC", path.casefold())
            if folded in seen:
                if seen[folded] != (path, False) or is_file:
                    raise UnsafeWheelError(
                        "two of its paths are one on some file systems", paths=[seen[folded][0], place]
                    )
                break  # a folder, and its parents with it, known already
            seen[folded] = path, is_file
            path, is_file = path.rpartition("/")[0], False


def _read_text(fd: int, file: ArchivedFile) -> str:
    if file.info.file_size > _LARGEST_TEXT:
        raise UnsafeWheelError("a file of its dist-info folder is too large", member=file.name)
    try:
        return b"".join(read_file(fd, file)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnsafeWheelError("a file of its dist-info folder is not UTF-8", member=file.name) from error
