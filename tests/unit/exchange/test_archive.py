"""The form of bundles: what is written is read back, and by `tar` as well."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from envknit.errors import InstallError
from envknit.exchange.archive import reading, writing


def made(files: dict[str, bytes], name: str = "x.tar") -> bytes:
    out = io.BytesIO()
    with writing(out, name) as archive:
        for path, data in files.items():
            archive.add(path, len(data), [data])
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    with reading(io.BytesIO(data), Path("x")) as archive:
        return {name: b"".join(archive.pieces(size)) for name, size in archive}


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.xz"])
def test_what_is_written_is_read_back_the_same_each_time(ending: str) -> None:
    files = {"a": b"", "b": b"x", "c": bytes(3000), "wheels/" + "0" * 64: b"y" * 512}

    assert files == read(made(files, f"x{ending}"))
    assert made(files, f"x{ending}") == made(files, f"x{ending}")


@pytest.mark.parametrize("blocks", range(16, 22))
def test_an_archive_may_end_anywhere_in_a_record(blocks: int) -> None:
    files = {"a": bytes(512 * blocks)}
    data = made(files)

    assert (files, 0) == (read(data), len(data) % 10240)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert ["a"] == archive.getnames()


def test_tar_reads_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(made({"a": b"1", "b": b"22"}, "x.tar.gz"))) as archive:
        assert [("a", 1, 0o644, 0), ("b", 2, 0o644, 0)] == [(m.name, m.size, m.mode, m.mtime) for m in archive]


def test_a_name_that_does_not_say_how_to_pack_is_refused() -> None:
    with pytest.raises(InstallError, match="says how it is packed"):
        made({}, "x.zip")
