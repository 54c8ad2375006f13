"""Bundles that somebody prepared: what they may not say is refused, and nothing of them is placed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envknit.errors import EnvknitError
from envknit.exchange.archive import reading
from envknit.exchange.unbundle import unbundle
from envknit.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.once

Files = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture(name="whole")
def _whole(machine: Machine, index: LoopbackIndex) -> bytes:
    """The bytes of a bundle that nobody touched, as a plain tar."""
    index.publish("alpha", "1.0", requires=["beta"])
    index.publish("beta", "1.0")
    project = machine.project(["alpha"])
    project.lock()
    project.envknit("bundle", "-o", "app.tar")
    return (project.root / "app.tar").read_bytes()


def files_of(data: bytes) -> Files:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(member, (archive.extractfile(member) or io.BytesIO()).read()) for member in archive]


def tar_of(files: Files, form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member, data in files:
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def refused(machine: Machine, data: bytes, told: str, name: str = "bad.tar") -> None:
    """Unbundle these bytes into a new folder and store, and see that nothing of them is left."""
    there, other = machine.root / "there", machine.root / "other"
    (machine.root / name).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENVKNIT_HOME", str(other))
        with pytest.raises(EnvknitError) as caught:
            unbundle(machine.root / name, there, reporter=Reporter())

    assert told in caught.value.message
    assert not there.exists()
    assert not (machine.root / "escaped").exists()
    assert not [*other.glob("packages/site-packages/*"), *other.glob("tmp/*")]


def with_note(files: Files, change: Callable[[dict[str, Any]], object]) -> bytes:
    note = json.loads(files[0][1])
    change(note)
    return tar_of([(files[0][0], json.dumps(note).encode()), *files[1:]])


def test_whatever_leads_out_of_it_is_refused(machine: Machine, whole: bytes) -> None:
    files = files_of(whole)
    for odd in (
        entry("../escaped"),
        entry("/tmp/escaped"),
        entry("wheels/../../escaped"),
        entry("wheels/" + "0" * 64),
        entry("wheels/link", tarfile.SYMTYPE, "/etc"),
        entry("wheels/" + "1" * 64, tarfile.LNKTYPE, "bundle.json"),
        entry("wheels", tarfile.DIRTYPE),
        entry("device", tarfile.CHRTYPE),
        entry("fifo", tarfile.FIFOTYPE),
    ):
        for at in (0, 2, len(files)):
            refused(machine, tar_of([*files[:at], (odd, b""), *files[at:]]), "this is not a whole bundle")


def test_a_wheel_with_other_bytes_is_refused(machine: Machine, whole: bytes) -> None:
    files = files_of(whole)
    member, data = files[-1]
    refused(machine, tar_of([*files[:-1], (member, data[:-1] + b"!")]), "not the one that its lock names")
    refused(machine, tar_of([*files[:-1], (member, data + b"!")]), "wheel")
    refused(machine, tar_of([*files, files[-1]]), "or one twice")
    swapped = [*files[:-2], (files[-2][0], files[-1][1]), (files[-1][0], files[-2][1])]
    refused(machine, tar_of(swapped), "wheel")


def test_a_wheel_that_is_not_there_is_named(machine: Machine, whole: bytes) -> None:
    refused(machine, tar_of(files_of(whole)[:-1]), "the bundle is not for this interpreter")


def test_other_kinds_of_tar_are_refused(machine: Machine, whole: bytes) -> None:
    files = files_of(whole)
    files[-1][0].pax_headers = {"path": "../escaped", "comment": "x" * 1000}
    refused(machine, tar_of(files, tarfile.PAX_FORMAT), "something else than plain files")
    files[-1][0].name = "wheels/" + "a" * 200
    refused(machine, tar_of(files, tarfile.GNU_FORMAT), "something else than plain files")


def test_a_bomb_is_not_unpacked(machine: Machine, whole: bytes) -> None:
    files = files_of(whole)
    zeros = bytes(200 << 20)
    lock = files[1][1].decode()
    sha256 = files[-1][0].name.removeprefix("wheels/")
    lock = lock.replace(sha256, hashlib.sha256(zeros).hexdigest())
    lock = "\n".join(line for line in lock.splitlines() if "size:" not in line) + "\n"
    bomb = [
        files[0],
        (files[1][0], lock.encode()),
        *files[2:-1],
        (entry(f"wheels/{hashlib.sha256(zeros).hexdigest()}"), zeros),
    ]
    refused(machine, gzip.compress(tar_of(bomb), 9), "it would unpack to too much", "bomb.tar.gz")


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.update(bundle=2),
        lambda note: note.pop("targets"),
        lambda note: note.update(environments="default"),
        lambda note: note.update(environments=[["default"]]),
        lambda note: note.update(environments=["../../x"]),
        lambda note: note.update(selection={"extras": 1}),
        lambda note: note["selection"].update(groups=["nope"]),
    ],
)
def test_a_note_that_says_what_cannot_be_is_refused(
    machine: Machine, whole: bytes, change: Callable[[dict[str, Any]], object]
) -> None:
    refused(machine, with_note(files_of(whole), change), "")


def test_what_is_cut_off_or_goes_on_is_refused(machine: Machine, whole: bytes) -> None:
    for at in (0, 100, 512, 700, len(whole) // 2, len(whole) - 1024):
        refused(machine, whole[:at], "this is not a whole bundle")
    packed = gzip.compress(whole, 1)
    for at in (1, 20, len(packed) // 2, len(packed) - 9):
        refused(machine, packed[:at], "this is not a whole bundle", "bad.tar.gz")
    refused(machine, whole + b"more", "something follows its end")
    refused(machine, whole[:-1] + b"x", "something follows its end")


def test_what_is_no_bundle_at_all_is_told(machine: Machine) -> None:
    for data in (
        b"",
        b"PK\x03\x04",
        b"\x28\xb5\x2f\xfd" + b"x" * 50,
        b"\xfd7zXZ\0" + b"x" * 50,
        b"\x1f\x8b" + b"x" * 50,
    ):
        refused(machine, data, "")
    (machine.root / "folder.tar").mkdir()
    for name in ("nowhere.tar", "folder.tar"):
        with pytest.raises(EnvknitError, match="the bundle cannot be read"):
            unbundle(machine.root / name, machine.root / "there", reporter=Reporter())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_give_an_error_of_ours_or_files(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "x.tar"
    path.write_bytes(flipped)
    with suppress(EnvknitError), path.open("rb") as file, reading(file, path) as archive:
        for _, size in archive:
            assert size == sum(map(len, archive.pieces(size)))
