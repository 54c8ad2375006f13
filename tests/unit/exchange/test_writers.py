"""What is written for pins that no index has: a place, and never a name that somebody else may have there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from envknit.exchange.chosen import Chosen, choose_all
from envknit.exchange.cyclonedx import write_cyclonedx
from envknit.exchange.pylock import write_pylock
from envknit.exchange.requirements_out import can_be_hashed, write_requirements
from envknit.files.model import Artifact, Environment, Lock, Pin
from envknit.install.selection import USUAL

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once
COMMIT, SHA = "c" * 40, "5" * 64
SOURCES = {
    "editable": ("file:../lib#editable", "-e ../lib"),
    "folder": ("file:libs/x", "./libs/x"),
    "git": (
        f"git+https://host.example/r@v1#commit={COMMIT}&subdirectory=py",
        f"lib @ git+https://host.example/r@{COMMIT}#subdirectory=py",
    ),
    "url": (f"https://host.example/lib-1.0.tar.gz#sha256={SHA}", "lib @ https://host.example/lib-1.0.tar.gz"),
    "bound": ("index+https://host.example/simple", "--extra-index-url https://host.example/simple\nlib==1.0"),
    "bound to a folder": ("index+wheels", "--find-links wheels\nlib==1.0"),
}


def _chosen(source: str) -> Chosen:
    files = (Artifact(name="lib-1.0.tar.gz", sha256=SHA),) if source.startswith("http") else ()
    return Chosen(pin=Pin(name="lib", version="1.0", source=source, files=files, roots=("",)))


@pytest.mark.parametrize(("source", "line"), SOURCES.values(), ids=SOURCES)
def test_a_requirement_says_the_place_of_what_a_person_named(source: str, line: str) -> None:
    assert line == write_requirements([_chosen(source)], hashes=False).strip()


def test_hashes_are_for_files_alone() -> None:
    assert can_be_hashed([_chosen(SOURCES["url"][0]), _chosen("")])
    assert not can_be_hashed([_chosen(SOURCES["git"][0])])
    assert not can_be_hashed([_chosen(SOURCES["folder"][0])])


def test_the_project_itself_is_not_exported() -> None:
    own = Pin(name="app", version="1.0", source="file:.#editable", roots=("",))
    other = Pin(name="lib", version="1.0", source="file:lib#editable", roots=("",))
    environment = Environment(name="default", python_version=">=3.10", pins=(own, other))

    assert [other] == [one.pin for one in choose_all(Lock(), environment, USUAL)]


def test_a_pylock_and_a_bill_of_materials_say_it_too(tmp_path: Path) -> None:
    def written(kind: str) -> str:
        chosen = [_chosen(SOURCES[kind][0])]
        return write_pylock(chosen, lambda _: (), ">=3.10", root=tmp_path / "app", folder=tmp_path)

    assert 'path = "lib"\neditable = true' in written("editable")
    assert 'path = "app/libs/x"' in written("folder")
    assert f'commit-id = "{COMMIT}"' in written("git")
    assert 'subdirectory = "py"' in written("git")
    assert f'sha256 = "{SHA}"' in written("url")
    told = json.loads(write_cyclonedx("app", [_chosen(SOURCES["git"][0])]))
    assert "pkg:generic/lib@1.0" == told["components"][0]["purl"]
