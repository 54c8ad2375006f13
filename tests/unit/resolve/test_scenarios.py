"""Every resolution scenario in `tests/scenarios/resolve`, over a real index on the loopback interface."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envknit.errors import ResolutionError
from envknit.files.lockfile import parse_lock
from envknit.files.model import Environment, Lock, Pin
from envknit.files.written_lock import render_lock
from envknit.index.index import open_index
from envknit.projects.load import load_project
from envknit.reporter import Reporter
from envknit.resolve.resolver import resolve

if TYPE_CHECKING:
    from kit import LoopbackIndex

RUNNING = f"3.{sys.version_info[1]}"
FOLDER = Path(__file__).parents[2] / "scenarios" / "resolve"


class Heard(Reporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def scenarios() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        found += [
            pytest.param(case, id=f"{path.stem}: {case['name']}")
            for case in yaml.safe_load(path.read_text(encoding="utf-8"))
        ]
    return found


def publish(index: LoopbackIndex, name: str, versions: dict[str, Any]) -> None:
    if "rows" in versions:
        requires = versions.get("requires", "")
        versions = {f"{n}.0": [requires.format(f"{n}.0")] if requires else [] for n in range(1, versions["rows"] + 1)}
    for version, facts in versions.items():
        facts = {"requires": facts} if isinstance(facts, list) else dict(facts)  # noqa: PLW2901 - read once
        extras = facts.pop("extras", {})
        requires = [*facts.pop("requires", [])]
        requires += [f"{need} ; extra == '{extra}'" for extra, needs in extras.items() for need in needs]
        requires += ["b (>=1"] if facts.pop("broken", False) else []
        make = index.publish_sdist if facts.pop("sdist", False) else index.publish
        facts["requires_python"] = facts.get("requires_python", "").replace("R", RUNNING)
        uploaded = facts.pop("upload_time", "2024-01-01T00:00:00Z")
        make(name, version, requires=requires, extras=list(extras), **facts).upload_time = uploaded


def write_project(folder: Path, case: dict[str, Any]) -> Path:
    environment = {
        "packages": case["asks"],
        "dev_packages": case.get("dev", []),
        "constraints": case.get("constraints", []),
        "overrides": case.get("overrides", []),
        "python_version": case.get("python_version", RUNNING).replace("R", RUNNING),
    }
    project = {"environments": {"default": environment}, "targets": case.get("targets", [])}
    project |= {key: case[key] for key in ("resolution", "prerelease", "exclude_newer") if key in case}
    path = folder / "envknit.yaml"
    path.write_text(yaml.safe_dump(project), encoding="utf-8")
    return path


def previous(case: dict[str, Any]) -> Lock | None:
    if "locked" not in case:
        return None
    pins = tuple(Pin(name=name, version=version) for name, version in case["locked"].items())
    return Lock(environments={"default": Environment(name="default", pins=pins)})


def run(index: LoopbackIndex, folder: Path, case: dict[str, Any], heard: Heard) -> Lock:
    index.json = case.get("json", index.json)
    for name, versions in case["index"].items():
        publish(index, name, versions)
    project = load_project(write_project(folder, case))
    with open_index((index.url,), folder, home=folder / "store") as opened:
        return resolve(project, opened, previous=previous(case), update=case.get("update", ()), reporter=heard)


@pytest.mark.parametrize("case", scenarios())
def test_a_scenario_ends_as_it_says(case: dict[str, Any], index: LoopbackIndex, tmp_path: Path) -> None:
    heard = Heard()
    if "error" in case:
        with pytest.raises(ResolutionError) as caught:
            run(index, tmp_path, case, heard)
        missing = [fragment for fragment in case["error"] if fragment not in str(caught.value)]
        assert not missing, str(caught.value)
        return
    lock = run(index, tmp_path, case, heard)
    made = lock.environments["default"].pins
    several = {name: sorted(pin.version for pin in made if pin.name == name) for name in {pin.name for pin in made}}
    assert case["pins"] == {name: found if len(found) > 1 else found[0] for name, found in several.items()}
    pins = {key: pin for pin in made for key in (pin.name, f"{pin.name} {pin.version}")}
    forked = len(made) > len(several)
    for name, expected in case.get("edges", {}).items():
        told = (f"{edge.name} {edge.version if forked else ''} {edge.marker}" for edge in pins[name].dependencies)
        assert expected == [" ".join(text.split()) for text in told]
    for name, expected in case.get("roots", {}).items():
        assert expected == list(pins[name].roots)
    for name, expected in case.get("markers", {}).items():
        assert expected == pins[name].marker
    if "dev_pins" in case:
        assert case["dev_pins"] == [pin.name for pin in made if pin.dev]
    for fragment in case.get("warns", []):
        assert any(fragment in warning for warning in heard.warnings), heard.warnings
    assert lock == parse_lock(render_lock(lock).encode(), "envknit.lock.yaml")
