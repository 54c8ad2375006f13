"""Wheels that break one rule each, made in memory; `docs/explanation/security.md` says why each rule is there."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

NAME, VERSION, FILE = "pkg", "1.0", "pkg-1.0-py3-none-any.whl"
INFO = "pkg-1.0.dist-info"
DATA = "pkg-1.0.data"
METADATA = b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: kit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

Row = tuple[str, str, str]
Member = tuple[str, bytes, int]  # path, content, mode


@dataclass(frozen=True)
class BadWheel:
    """A wheel and the words that its refusal must have; no words: it must be accepted, with a note of these words."""

    title: str
    data: bytes
    words: str
    file: str = FILE
    note: str = ""


def row(path: str, data: bytes, algorithm: str = "sha256") -> Row:
    """Write a row of RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    return path, f"{algorithm}={digest}", str(len(data))


def wheel(
    *more: tuple[str, bytes] | Member,
    metadata: bytes | None = METADATA,
    wheel_file: bytes = WHEEL,
    entry_points: str = "",
    info: str = INFO,
    record: Callable[[list[Row]], Iterable[Row] | None] = lambda rows: rows,
    unrecorded: Sequence[tuple[str, bytes] | Member] = (),
    method: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """Make the wheel of pkg 1.0 with more members; `record` edits the rows of RECORD (None: there is none)."""
    members: list[Member] = [("pkg/__init__.py", b"x = 1\n", 0o644), (f"{info}/WHEEL", wheel_file, 0o644)]
    if metadata is not None:
        members.append((f"{info}/METADATA", metadata, 0o644))
    if entry_points:
        members.append((f"{info}/entry_points.txt", entry_points.encode(), 0o644))
    members += [(one[0], one[1], one[2] if len(one) == 3 else 0o644) for one in more]
    rows = record(
        [*(row(path, data) for path, data, _ in members if not path.endswith("/")), (f"{info}/RECORD", "", "")]
    )
    members += [(one[0], one[1], one[2] if len(one) == 3 else 0o644) for one in unrecorded]
    if rows is not None:
        members.append((f"{info}/RECORD", "".join(",".join(one) + "\n" for one in rows).encode(), 0o644))
    return pack(members, method)


def pack(members: Iterable[Member], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write members into a ZIP, two of one name if asked to."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, data, mode in members:
            info = zipfile.ZipInfo("placeholder")
            info.filename = path  # the constructor would mend it
            info.compress_type = method
            kind = 0 if stat.S_IFMT(mode) else (stat.S_IFDIR if path.endswith("/") else stat.S_IFREG)
            info.external_attr = (kind | mode) << 16
            archive.NameToInfo.clear()  # or it would warn of a second member of one name
            archive.writestr(info, data)
    return out.getvalue()


def all_cases() -> Iterator[BadWheel]:
    """Make every case."""
    yield from _accepted()
    yield from _paths()
    yield from _kinds()
    yield from _records()
    yield from _identities()
    yield from _scripts()
    yield from _frames()


def _accepted() -> Iterator[BadWheel]:
    both = wheel(record=lambda rows: [row("pkg/__init__.py", b"x = 1\n", "sha512"), *rows[1:]])
    for title, data in {
        "plain": wheel(),
        "stored": wheel(method=zipfile.ZIP_STORED),
        "sha512 in RECORD": both,
        "a dist-info folder deeper down": wheel((f"pkg/vendored/{INFO}/METADATA", METADATA)),
        "setuid bits": wheel(("pkg/tool", b"", 0o104755)),
        "planted bytecode": wheel(
            ("pkg/__pycache__/__init__.cpython-312.pyc", b"\0" * 16), unrecorded=[("x.pyc", b"")]
        ),
        "an installer's own files": wheel((f"{INFO}/INSTALLER", b"pip\n"), (f"{INFO}/ARTIFACT", b"lies\n")),
        "a start-up file": wheel(("evil.pth", b"import os\n")),
        "a signature": wheel(unrecorded=[(f"{INFO}/RECORD.jws", b"{}")]),
        "folders": wheel(("pkg/empty/", b""), ("pkg./", b"")),
        "a script, data and headers": wheel(
            (f"{DATA}/scripts/tool", b"#!python\n"), (f"{DATA}/data/share/x", b""), (f"{DATA}/headers/x.h", b"")
        ),
        "a dotted console script": wheel(entry_points="[console_scripts]\npkg-x.y = pkg.sub:main.run [extra]\n"),
        "an empty comment of text": wheel()[:-2] + struct.pack("<H", 5) + b"hello",
    }.items():
        yield BadWheel(title, data, "")


def _paths() -> Iterator[BadWheel]:
    for title, path in {
        "leaves by dots": "../evil.py",
        "leaves from inside": "pkg/../../evil.py",
        "absolute": "/tmp/evil.py",
        "backslash": "pkg\\..\\evil.py",
        "drive": "C:/evil.py",
        "dot component": "pkg/./x.py",
        "double slash": "pkg//x.py",
    }.items():
        yield BadWheel(f"path: {title}", wheel((path, b"")), "stay inside")
    yield BadWheel("path: line break", wheel(("pkg/a\nb.py", b""), record=lambda rows: rows), "cannot be seen")
    yield BadWheel("path: NUL", wheel(("pkg/a0b.py", b"")).replace(b"a0b.py", b"a\0b.py"), "cannot be seen")
    yield BadWheel("path: direction mark", wheel(("pkg/\u202eyp.x", b"")), "cannot be seen")
    yield BadWheel("path: line separator", wheel(("pkg/a\u2028b.py", b"")), "cannot be seen")
    yield BadWheel("path: filler letter", wheel(("pkg/\u3164.py", b"")), "cannot be seen")
    yield BadWheel("path: trailing dot", wheel(("pkg/x.py.", b"")), "some file systems change")
    yield BadWheel("path: trailing space", wheel(("pkg /x.py", b"")), "some file systems change")
    yield BadWheel("path: long component", wheel(("pkg/" + "x" * 250 + ".py", b"")), "too long")
    yield BadWheel("path: deep", wheel(("pkg/" + "d/" * 600 + "x.py", b"")), "too long")
    yield BadWheel("path: not NFC", wheel(("pkg/e\u0301.py", b"")), "NFC")
    yield BadWheel("collision: case", wheel(("pkg/A.py", b""), ("pkg/a.py", b"")), "one on some file systems")
    yield BadWheel("collision: case of a parent", wheel(("PKG/a.py", b"")), "one on some file systems")
    yield BadWheel("collision: sharp s", wheel(("pkg/\u00df.py", b""), ("pkg/ss.py", b"")), "one on some file systems")
    yield BadWheel("collision: file and folder", wheel(("pkg/x", b""), ("pkg/x/y.py", b"")), "one on some file systems")
    yield BadWheel("collision: folder and file", wheel(("pkg/x/y.py", b""), ("pkg/x", b"")), "one on some file systems")
    clash = wheel((f"{DATA}/purelib/pkg/__init__.py", b"evil"))
    yield BadWheel("collision: data folder", clash, "one on some file systems")
    same = [("pkg/a.py", b"1", 0o644)] * 2
    yield BadWheel("two members: equal", wheel(unrecorded=same), "two members of one name")
    yield BadWheel("two members: different", wheel(("pkg/a.py", b"1"), unrecorded=[("pkg/a.py", b"2")]), "two members")


def _kinds() -> Iterator[BadWheel]:
    for title, kind in {
        "link": stat.S_IFLNK,
        "FIFO": stat.S_IFIFO,
        "device": stat.S_IFCHR,
        "socket": stat.S_IFSOCK,
    }.items():
        yield BadWheel(f"kind: {title}", wheel(("pkg/x", b"/etc/passwd", kind | 0o777)), "neither a file nor a folder")
    through = wheel(("pkg/d", b"/tmp", stat.S_IFLNK | 0o777), ("pkg/d/x.py", b""))
    yield BadWheel("kind: link to a folder", through, "neither a file nor a folder")
    yield BadWheel("kind: folder without a slash", wheel(("pkg/d", b"", stat.S_IFDIR | 0o755)), "neither a file")
    yield BadWheel("kind: folder with content", wheel(("pkg/d/", b"content")), "a folder has content")


def _records() -> Iterator[BadWheel]:
    def first(new: Row) -> Callable[[list[Row]], list[Row]]:
        return lambda rows: [new, *rows[1:]]

    path, digest, size = row("pkg/__init__.py", b"x = 1\n")
    other = row(path, b"y = 2\n")
    for title, data in {
        "wrong hash": wheel(record=first(other)),
        "wrong size": wheel(record=first((path, digest, "7"))),
        "file not named": wheel(record=lambda rows: rows[1:]),
        "absent file": wheel(record=lambda rows: [row("gone.py", b""), *rows]),
        "outside": wheel(record=lambda rows: [row("../../x", b""), *rows]),
        "md5": wheel(record=first(row(path, b"x = 1\n", "md5"))),
        "no hash": wheel(record=first((path, "", ""))),
        "no base64": wheel(record=first((path, "sha256=?", size))),
        "size is no number": wheel(record=first((path, digest, "six"))),
        "two columns first": wheel(record=lambda rows: [("x", "y"), *rows]),  # type: ignore[list-item]
        "two rows": wheel(record=lambda rows: [other, *rows]),
        "other case": wheel(record=first(("pkg/__INIT__.py", digest, size))),
        "empty": wheel(record=lambda _: []),
        "an algorithm of any length": wheel(record=first((path, "shake_128=AAAA", size))),
        "a row with NUL": wheel(record=lambda rows: [("\0", "", ""), *rows]),
    }.items():
        yield BadWheel(f"RECORD: {title}", data, "", note="RECORD does not fit")
    yield BadWheel("RECORD: absent", wheel(record=lambda _: None), "no RECORD")
    large = [("pkg/" + "x" * (8 << 20), "", "")] * 2
    yield BadWheel("RECORD: too large", wheel(record=lambda rows: [*rows, *large]), "too large")
    yield BadWheel(
        "RECORD: a folder", wheel(record=lambda _: None, unrecorded=[(f"{INFO}/RECORD/x", b"")]), "no RECORD"
    )
    beside = wheel((f"{INFO}/RECORD/x", b""))
    yield BadWheel("RECORD: a folder beside", beside, "one on some file systems")
    yield BadWheel("RECORD: in two cases", wheel((f"{INFO}/record", b"")), "one on some file systems")
    yield BadWheel("INSTALLER: a folder", wheel((f"{INFO}/INSTALLER/x", b"")), "one on some file systems")


def _identities() -> Iterator[BadWheel]:
    def meta(name: str, version: str) -> bytes:
        return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()

    yield BadWheel("METADATA: other name", wheel(metadata=meta("evil", "1.0")), "its METADATA is of evil")
    yield BadWheel("METADATA: other version", wheel(metadata=meta("pkg", "2.0")), "its METADATA is of pkg 2.0")
    yield BadWheel("METADATA: no version", wheel(metadata=b"Name: pkg\n"), "no name or version")
    yield BadWheel("METADATA: control characters", wheel(metadata=meta("\x1b[31mred", "1.0")), "no name or version")
    yield BadWheel("METADATA: two names", wheel(metadata=METADATA + b"Name: other\n"), "says Name twice")
    yield BadWheel("METADATA: two versions", wheel(metadata=METADATA + b"version: 2.0\n"), "says Version twice")
    yield BadWheel("WHEEL: two versions", wheel(wheel_file=WHEEL + b"Wheel-Version: 2.0\n"), "says Wheel-Version twice")
    yield BadWheel("METADATA: too large", wheel(metadata=METADATA + b"\n" + bytes(20 << 20)), "too large")
    yield BadWheel("METADATA: not UTF-8", wheel(metadata=METADATA + b"Summary: \xff\n"), "not UTF-8")
    yield BadWheel("METADATA: absent", wheel(metadata=None), "no METADATA")
    yield BadWheel("dist-info: other name", wheel(info="evil-1.0.dist-info"), "its dist-info folder is of evil")
    yield BadWheel("dist-info: other version", wheel(info="pkg-2.0.dist-info"), "its dist-info folder is of pkg 2.0")
    two = wheel(("other-1.0.dist-info/METADATA", METADATA))
    yield BadWheel("dist-info: two", two, "one dist-info folder")
    yield BadWheel("dist-info: none", pack([("pkg/__init__.py", b"", 0o644)]), "one dist-info folder")
    yield BadWheel("file name: other name", wheel(), "its file name is of evil", "evil-1.0-py3-none-any.whl")
    yield BadWheel("file name: other version", wheel(), "its file name is of pkg 2.0", "pkg-2.0-py3-none-any.whl")
    yield BadWheel("dist-info: in capitals", wheel(info="pkg-1.0.DIST-INFO"), "one dist-info folder")
    yield BadWheel("file name: a space", wheel(), "a space in the name", "pkg-1.0 -py3-none-any.whl")
    yield BadWheel("file name: no tags", wheel(), "nvalid wheel filename", "pkg-1.0-py3.whl")
    yield BadWheel("Wheel-Version: 2", wheel(wheel_file=WHEEL.replace(b"1.0", b"2.0")), "Wheel-Version is '2.0'")
    yield BadWheel("Wheel-Version: absent", wheel(wheel_file=b"Generator: kit\n"), "Wheel-Version is ''")


def _scripts() -> Iterator[BadWheel]:
    yield BadWheel("data: of another", wheel(("other-1.0.data/purelib/x.py", b"")), "another distribution")
    yield BadWheel("data: unknown kind", wheel((f"{DATA}/etc/passwd", b"")), "no known kind")
    yield BadWheel("data: no kind", wheel((f"{DATA}/x", b"")), "no known kind")
    yield BadWheel("data: leaves", wheel((f"{DATA}/data/../../x", b"")), "stay inside")
    yield BadWheel("data: scripts leave", wheel((f"{DATA}/scripts/../../x", b"")), "stay inside")
    yield BadWheel("data: dist-info", wheel((f"{DATA}/data/six-1.0.dist-info/METADATA", b"")), "change a dist-info")
    for name in ("python", "Python3", "python3.12", "pythonw.exe", "pypy3"):
        yield BadWheel(f"script: {name}", wheel((f"{DATA}/scripts/{name}", b"")), "stand for an interpreter")
    yield BadWheel("data: python in bin", wheel((f"{DATA}/data/bin/python", b"")), "stand for an interpreter")
    for title, line in {
        "leaves": "../evil = pkg:main",
        "absolute": "/tmp/evil = pkg:main",
        "python": "python = pkg:main",
        "hidden": ".bashrc = pkg:main",
    }.items():
        yield BadWheel(
            f"console script: {title}", wheel(entry_points=f"[console_scripts]\n{line}\n"), "name of a script"
        )
    for title, line in {
        "code": "x = pkg:main()\n  import os",
        "call": "x = pkg:main();evil",
        "nothing to call": "x = pkg",
    }.items():
        text = f"[gui_scripts]\n{line}\n"
        yield BadWheel(f"console script: {title}", wheel(entry_points=text), "not module:attribute")
    twice = "[console_scripts]\nx = pkg:a\nx = pkg:b\n"
    yield BadWheel("console script: twice", wheel(entry_points=twice), "two scripts of one name")
    for title, value in {
        "no identifier": "pkg.1:x",
        "two dots": "pkg..a:b",
        "interpolation": "pkg:%(y)s",
        "a line": "pkg:a\u2028b",
    }.items():
        text = f"[console_scripts]\nx = {value}\n"
        yield BadWheel(f"console script: {title}", wheel(entry_points=text), "not module:attribute")
    lines = "".join(f"d{at}\n" for at in range(100_000)).encode()
    yield BadWheel("path file: too many lines", wheel(("pkg.pth", lines)), "too large")
    many = "[console_scripts]\n" + "".join(f"s{at} = pkg:main\n" for at in range(5_000))
    yield BadWheel("console script: too many", wheel(entry_points=many), "5000 scripts")
    yield BadWheel("console script: no INI", wheel(entry_points="[console_scripts\n"), "cannot be read")


def _frames() -> Iterator[BadWheel]:
    plain = wheel()
    end = plain.rindex(b"PK\x05\x06")
    directory = struct.unpack_from("<I", plain, end + 16)[0]
    yield BadWheel("frame: not a ZIP", b"<html>Please log in</html>", "not a ZIP file")
    yield BadWheel("frame: empty", b"", "not a ZIP file")
    yield BadWheel("frame: bytes before", b"#!/bin/sh\n" + plain, "first byte")
    yield BadWheel("frame: bytes after", plain + b"more", "bytes follow the end")
    yield BadWheel("frame: two archives", wheel(("evil.py", b"")) + plain, "first byte")
    inner = plain[:-2] + struct.pack("<H", len(plain)) + plain
    yield BadWheel("frame: archive in the comment", inner, "first byte")
    comment = plain[:-2] + struct.pack("<H", 4) + b"PK\x01\x02"
    yield BadWheel("frame: directory in the comment", comment, "comment")
    yield BadWheel("frame: cut off", plain[: len(plain) // 2], "not a ZIP file")
    yield BadWheel("frame: bytes between", _shifted(plain, directory, end), "belong to none")
    yield BadWheel(
        "frame: fewer records said", _patched(plain, end + 8, struct.pack("<HH", 1, 1)), "more or fewer records"
    )
    yield BadWheel(
        "frame: more records said", _patched(plain, end + 8, struct.pack("<HH", 9, 9)), "more or fewer records"
    )
    yield BadWheel("frame: several disks", _patched(plain, end + 4, struct.pack("<H", 1)), "several parts")
    yield BadWheel("frame: two names", plain.replace(b"pkg/__init__.py", b"pkg/__evil__.py", 1), "disagree")
    yield BadWheel("frame: bad CRC", _patched_both(plain, directory, 16, 14), "not those that the archive names")
    yield BadWheel("frame: CRC before differs", _patched(plain, 14, b"\0\0\0\0"), "disagree")
    short = _patched(_patched(plain, directory + 24, b"\2\0\0\0"), 22, b"\2\0\0\0")
    yield BadWheel("frame: size too small", short, "not those")
    yield BadWheel("frame: overlap", _overlapping(), "overlap")
    yield BadWheel("frame: encrypted", _patched(plain, directory + 8, b"\1\0"), "encrypted")
    yield BadWheel("frame: bzip2", wheel(method=zipfile.ZIP_BZIP2), "neither stored nor deflated")
    yield BadWheel("frame: LZMA", wheel(method=zipfile.ZIP_LZMA), "neither stored nor deflated")
    yield BadWheel("frame: bomb", wheel(("pkg/zeros", bytes(100 << 20))), "unpack to too much")
    yield from _numbers(plain, directory, end)


def _numbers(plain: bytes, directory: int, end: int) -> Iterator[BadWheel]:
    """Let numbers of the frame lie: none of them may be believed before it was checked."""
    for title, at, new, words in [
        ("directory elsewhere", end + 16, b"\0\0\0\0", "first byte"),
        ("directory behind the end", end + 16, b"\xff\xff\xff\x7f", "first byte"),
        ("directory of four gigabytes", end + 12, b"\xfe\xff\xff\xff", "too many members"),
        ("65534 members", end + 8, b"\xfe\xff\xfe\xff", "more or fewer records"),
        ("parts that differ", end + 8, b"\1\0\2\0", "several parts"),
        ("another first part", end + 6, b"\1\0", "several parts"),
        ("record without its mark", directory, b"PK\1\3", "damaged"),
        ("record for a later program", directory + 6, b"\xff\0", "damaged"),
        ("record on another part", directory + 34, b"\1\0", "written in a way"),
        ("record with a long name", directory + 28, b"\xff\xff", "more or fewer records"),
        ("record with a long extra field", directory + 30, b"\xff\xff", "damaged"),
        ("record with a long comment", directory + 32, b"\xff\xff", "more or fewer records"),
        ("header behind the end", directory + 42, b"\xf0\xff\xff\x7f", "outside of the archive"),
        ("file larger than the archive", directory + 20, b"\xf0\xff\xff\x7f", "outside of the archive"),
        ("unpacks to four gigabytes", directory + 24, b"\xf0\xff\xff\xff", "unpack to too much"),
        ("wide number without its field", directory + 24, b"\xff\xff\xff\xff", "unpack to too much"),
        ("patch data", directory + 8, b"\x20\0", "written in a way"),
        ("strong encryption", directory + 8, b"\x40\0", "written in a way"),
        ("masked headers", directory + 8, b"\0\x20", "written in a way"),
        ("deflate64", directory + 10, b"\x09\0", "neither stored nor deflated"),
        ("zstandard", directory + 10, b"\x5d\0", "neither stored nor deflated"),
        ("a method of its own", directory + 10, b"\x63\0", "neither stored nor deflated"),
        ("stored, of another size", directory + 10, b"\0\0", "neither stored nor deflated"),
        ("header without its mark", 0, b"PK\3\5", "disagree"),
        ("header with other flags", 6, b"\2\0", "disagree"),
        ("header with another method", 8, b"\0\0", "disagree"),
        ("header with another size", 22, b"\7\0\0\0", "disagree"),
        ("header with another packed size", 18, b"\7\0\0\0", "disagree"),
        ("header with a longer name", 26, b"\x10\0", "disagree"),
        ("header with a long extra field", 28, b"\xff\xff", "extra fields"),
    ]:
        yield BadWheel(f"numbers: {title}", _patched(plain, at, new), words)


def _patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _patched_both(data: bytes, directory: int, central: int, local: int) -> bytes:
    """Write another CRC in both places where the first member has one."""
    return _patched(_patched(data, directory + central, b"\1\2\3\4"), local, b"\1\2\3\4")


def _shifted(data: bytes, directory: int, end: int) -> bytes:
    """Put bytes between the last member and the directory, and say truly where the directory is."""
    moved = data[:directory] + b"hidden" + data[directory:]
    return _patched(moved, end + 6 + 16, struct.pack("<I", directory + 6))


def _overlapping() -> bytes:
    """Let a record of the directory point into the bytes of another member, where a header of its kind lies."""
    inner = pack([("pkg/b.py", b"same", 0o644)], zipfile.ZIP_STORED)
    inner = inner[: inner.index(b"PK\x01\x02")]
    data = wheel(("pkg/a.bin", inner), ("pkg/b.py", b"same"), method=zipfile.ZIP_STORED)
    return _patched(data, data.rindex(b"pkg/b.py") - 4, struct.pack("<I", data.index(inner)))
