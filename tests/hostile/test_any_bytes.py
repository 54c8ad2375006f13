"""Readers of what lies on the disk or comes from a worker: whatever the bytes are, there is an answer or our error."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envknit.errors import LockError, PlanError, ProjectError, StoreError, UnsafeWheelError, WorkerError
from envknit.exchange.detect import reader_of
from envknit.files.lockfile import parse_lock
from envknit.plan import Plan
from envknit.projects.load import load_project
from envknit.store.entry import Note, recorded_rows
from envknit.store.roots import read_root
from envknit.wheel.archive import read_archive, read_file
from envknit.wheel.elf import library_paths
from envknit.wheel.entrypoints import scripts_of
from envknit.wheel.unpack import unpack_wheel
from envknit.wire.bounded import loads_bounded
from envknit.wire.frames import dumps, frame, header
from kit.badwheels import FILE, NAME, VERSION, wheel

pytestmark = pytest.mark.ends

UNHURRIED = settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
SPLICES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 9),
        st.binary(max_size=4)
        | st.sampled_from([b"PK\x01\x02", b"PK\x05\x06", b"\xff" * 4, b"\t", b"\n", b"9" * 30, b"[" * 999, b"\0"]),
    ),
    min_size=1,
    max_size=5,
)
WHEEL = wheel(("pkg/a.py", b"a" * 300), entry_points="[console_scripts]\nx = pkg:main\n")
LOCK = (
    b'schema_version: "1.0"\nenvironments:\n  default:\n    packages:\n      - {name: a, version: "1", direct: true}\n'
)
PLAN = (
    b"envknit-plan 2\nabi\tx\nenvironment\tdefault\nlock\t/l\nruntime\t/r\nsite\thidden\nchosen\t-\n"
    b"pin\tlib\t1.0\tpackages/x\tpure\tlib-1.0.dist-info\ta==1\tlib\tlib\tresident\nimport\tlib\tpackages/x\nend\n"
)
PROJECT = b"environments:\n  default:\n    python_version: '>=3.10'\n    packages: [requests>=2, 'b[x]']\n"
PYPROJECT = b'[project]\nname = "a"\nversion = "1"\ndependencies = ["b>=1"]\n[dependency-groups]\ndev = ["c"]\n'
NOTE = Note(
    artifact="x-1-py3-none-any.whl", sha256="a" * 64, record="b" * 64, executables=frozenset({"bin/x"})
).render()


def spliced(data: bytes, splices: list[tuple[float, int, bytes]]) -> bytes:
    """Change some places: at a fraction of the length, so many bytes give way to others."""
    for where, gone, new in splices:
        at = int(where * len(data))
        data = data[:at] + new + data[at + gone :]
    return data


@UNHURRIED
@given(SPLICES)
def test_locks(splices: list[tuple[float, int, bytes]]) -> None:
    with suppress(LockError):
        parse_lock(spliced(LOCK, splices), "lock")


@UNHURRIED
@given(SPLICES)
def test_plans(splices: list[tuple[float, int, bytes]]) -> None:
    with suppress(PlanError):
        Plan.parse(spliced(PLAN, splices).decode(errors="surrogateescape"), "/s/plans/2/a/k/views/v/plan")


@pytest.mark.parametrize(("name", "data"), [("envknit.yaml", PROJECT), ("pyproject.toml", PYPROJECT)])
@UNHURRIED
@given(SPLICES)
def test_projects(name: str, data: bytes, splices: list[tuple[float, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(spliced(data, splices))
        with suppress(ProjectError):
            load_project(path)


@pytest.mark.parametrize("url", ["https://[x", " https://[x", "\thttps://[x", "https://h:x/", "https://\u2100.x/"])
def test_a_repository_whose_url_is_none(url: str, tmp_path: Path) -> None:
    sources = f"[tool.uv.sources]\nb = {{git = {json.dumps(url)}}}\n"
    project = tmp_path / "pyproject.toml"
    project.write_text(f'[project]\nname = "a"\nversion = "1"\ndependencies = ["b"]\n{sources}', encoding="utf-8")

    with suppress(ProjectError):
        load_project(project)


@UNHURRIED
@given(SPLICES)
def test_wheels_and_nothing_lands_outside(splices: list[tuple[float, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, into = Path(folder, "wheel"), Path(folder, "entry")
        path.write_bytes(spliced(WHEEL, splices))
        with suppress(UnsafeWheelError):
            unpack_wheel(path, into, wheel=FILE, name=NAME, version=VERSION, sha256="a" * 64)
        assert {each.name for each in Path(folder).iterdir()} <= {"wheel", "entry"}


@UNHURRIED
@given(SPLICES)
def test_an_archive_is_what_zipfile_reads_or_is_refused(splices: list[tuple[float, int, bytes]]) -> None:
    data = spliced(WHEEL, splices)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            mine = {one.name: b"".join(read_file(file.fileno(), one)) for one in read_archive(file.fileno())}
        except UnsafeWheelError:
            return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == mine


@UNHURRIED
@given(SPLICES)
def test_notes_of_entries(splices: list[tuple[float, int, bytes]]) -> None:
    data = spliced(NOTE, splices)
    try:
        note = Note.parse(data, "note")
    except StoreError:
        return
    assert NOTE == note.render()  # no change of it passes


@pytest.mark.parametrize("body", [b"", b"artifact x\nsha256 a\n", b"\xff\n"])
def test_notes_that_check_and_say_too_little(body: bytes) -> None:
    with pytest.raises(StoreError, match="damaged"):
        Note.parse(body + f"check {zlib.crc32(body):08x}\n".encode(), "note")


def test_a_file_that_names_another_with_a_nul(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"-r other\0.txt\n")
    with pytest.raises(ProjectError, match="cannot be read"):
        reader_of(path)(path)


@UNHURRIED
@given(
    st.text(max_size=200) | SPLICES.map(lambda splices: spliced(b"a/b.py,sha256=AAAA,1\n", splices).decode("latin-1"))
)
def test_records(text: str) -> None:
    with suppress(ValueError):
        recorded_rows(text, "a-1.dist-info")


@UNHURRIED
@given(SPLICES)
def test_roots(splices: list[tuple[float, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.root")
        path.write_bytes(spliced(b"lock\t/a/envknit.lock.yaml\nplans\t2026-01-01\tplans/2/abi/key\n", splices))
        read_root(str(path))


@UNHURRIED
@given(SPLICES)
def test_entry_points(splices: list[tuple[float, int, bytes]]) -> None:
    with suppress(ValueError):
        scripts_of(spliced(b"[console_scripts]\nx = pkg.sub:main [extra]\n[other]\na = b\n", splices).decode("latin-1"))


@UNHURRIED
@given(st.binary(max_size=300))
def test_shared_libraries(data: bytes) -> None:
    library_paths(io.BytesIO(b"\x7fELF\x02\x01" + data))


@UNHURRIED
@given(SPLICES)
def test_frames_of_workers(splices: list[tuple[float, int, bytes]]) -> None:
    body = dumps((1, "call", [1.5, None, b"x", {"a": True}]), 1 << 20)
    with suppress(WorkerError):
        header(spliced(frame(1, 2, body), splices), 1 << 20)
    with suppress(WorkerError):
        loads_bounded(spliced(body, splices))
    for end in range(len(body)):
        with pytest.raises(WorkerError):
            loads_bounded(body[:end])
