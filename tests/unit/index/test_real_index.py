"""The index that pip uses on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envknit.errors import ResolutionError
from envknit.files.lockfile import parse_lock
from envknit.files.project import Project, RequestedEnvironment
from envknit.files.written_lock import render_lock
from envknit.index.index import open_index
from envknit.resolve.resolver import resolve

if TYPE_CHECKING:
    from pathlib import Path

    from envknit.files.model import Lock

pytestmark = [pytest.mark.network, pytest.mark.ends]


def lock(home: Path, *packages: str) -> Lock:
    asked = RequestedEnvironment(name="default", requirements=tuple(sorted(packages)))
    project = Project(path=home / "envknit.yaml", environments={"default": asked})
    with open_index((), home, home=home) as index:
        return resolve(project, index)


def test_flask_and_requests_lock_with_all_their_files(tmp_path: Path) -> None:
    made = lock(tmp_path, "flask", "requests[socks]")

    pins = {pin.name: pin for pin in made.environments["default"].pins}
    assert {"flask", "werkzeug", "jinja2", "markupsafe", "requests", "urllib3", "pysocks"} <= set(pins)
    assert {"pysocks", "urllib3"} <= {edge.name for edge in pins["requests"].dependencies}
    assert 'platform_system == "Windows"' in {edge.marker for edge in pins["click"].dependencies} | {
        'platform_system == "Windows"' if "colorama" not in pins else ""
    }
    systems = {"win_amd64", "macosx_11_0_arm64", "tar.gz"}
    assert all(any(system in file.name for file in pins["markupsafe"].files) for system in systems)
    assert parse_lock(render_lock(made).encode(), "x") == made


def test_an_impossible_wish_is_explained_from_the_newest_versions(tmp_path: Path) -> None:
    with pytest.raises(ResolutionError, match=r"you ask for flask>=3, which gives flask 3\.\d+\.\d+, which needs werk"):
        lock(tmp_path, "flask>=3", "werkzeug<2")


@pytest.mark.once
def test_narrow_ranges_of_a_project_with_thousands_of_versions_are_searched(tmp_path: Path) -> None:
    made = lock(tmp_path, "boto3", "botocore<1.34")

    pins = {pin.name: pin.version for pin in made.environments["default"].pins}
    assert pins["boto3"].rpartition(".")[0] == pins["botocore"].rpartition(".")[0] == "1.33"
