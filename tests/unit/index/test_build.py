"""Wheels out of sdists."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from envknit.errors import InstallError, UnsafeWheelError
from envknit.index.build import build_wheel
from kit import make_sdist

if TYPE_CHECKING:
    from pathlib import Path

TELLS = """\
import os, pathlib, shutil
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise SystemExit("ENVKNIT=" + os.environ["ENVKNIT"] + " HOME=" + str("ENVKNIT_HOME" in os.environ))
"""


def build(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "sdist").write_bytes(data)
    workspace = tmp_path / "work"
    workspace.mkdir()
    return build_wheel(tmp_path / "sdist", "x-1.tar.gz", workspace)


def test_a_wheel_is_built(tmp_path: Path) -> None:
    assert "x-1-py3-none-any.whl" == build(tmp_path, make_sdist("x", "1")).name


def test_a_build_that_fails_shows_the_end_of_its_output_and_sees_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVKNIT_HOME", "/somewhere")
    with pytest.raises(InstallError, match="could not be built") as caught:
        build(tmp_path, make_sdist("x", "1", backend=TELLS))

    assert "ENVKNIT=0 HOME=False" in str(caught.value)


@pytest.mark.parametrize("path", ["../evil", "/tmp/evil", "x-1/../../evil"])
def test_an_sdist_that_leads_out_of_its_folder_is_refused(tmp_path: Path, path: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(path))

    with pytest.raises(UnsafeWheelError):
        build(tmp_path, out.getvalue())
    assert [] == list(tmp_path.glob("evil"))


def test_an_sdist_of_two_folders_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in ("a/x", "b/x"):
            archive.addfile(tarfile.TarInfo(name))

    with pytest.raises(UnsafeWheelError, match="one folder"):
        build(tmp_path, out.getvalue())
