"""A person's file is replaced as a whole, or not at all."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from envknit.files.atomic import place, placing

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_in_pieces_keeps_the_mode_and_the_link_to_it(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to("real")

    with placing(link) as file:
        file.write(b"ne")
        assert real.read_bytes() == b"old"
        file.write(b"w")

    assert (link.is_symlink(), real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (True, b"new", 0o640)


def test_a_block_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    place(file, b"old")

    def interrupted() -> None:
        with placing(file) as writing:
            writing.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}
