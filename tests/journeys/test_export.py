"""What `export` writes is what other tools install: the same versions, from the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.ends


@pytest.fixture(name="project")
def _project(machine: Machine, index: LoopbackIndex) -> Project:
    index.publish(
        "alpha", "1.0", requires=["beta", "gamma ; sys_platform == 'win32'", "delta ; python_version < '3.9'"]
    )
    index.publish("beta", "1.0")
    index.publish("beta", "2.0")
    index.publish("gamma", "1.0")
    index.publish("delta", "1.0")
    index.publish("probe", "1.0", requires=["beta"])
    project = machine.project(["alpha"])
    project.write(
        "envknit.yaml",
        'environments:\n  default:\n    python_version: ">=3.10"\n    packages: [alpha]\n    dev_packages: [probe]\n'
        "    groups: {docs: [gamma]}\n",
    )
    project.envknit("lock")
    return project


def _lines(text: str) -> list[str]:
    return [line.removesuffix(" \\") for line in text.splitlines() if not line.startswith(" ")]


def test_a_requirements_file_holds_pins_markers_and_hashes_of_what_was_chosen(project: Project) -> None:
    assert ["alpha==1.0", "beta==2.0", 'gamma==1.0 ; sys_platform == "win32"', "probe==1.0"] == _lines(
        project.envknit("export").out
    )
    assert ["alpha==1.0", "beta==2.0", 'gamma==1.0 ; sys_platform == "win32"'] == _lines(
        project.envknit("export", "--no-dev").out
    )
    assert ["alpha==1.0", "beta==2.0", "gamma==1.0"] == _lines(
        project.envknit("export", "--no-dev", "--group", "docs", "--no-hashes").out
    )
    assert ["gamma==1.0"] == _lines(project.envknit("export", "--only-group", "docs").out)
    assert "has no group 'nothing'" in project.envknit("export", "--group", "nothing", status=2).err


def test_pip_installs_the_requirements_file_with_its_hashes(project: Project, tmp_path: Path) -> None:
    assert "wrote r.txt" in project.envknit("export", "--no-dev", "-o", "r.txt").out

    project.run("-m", "pip", "install", "-q", "--require-hashes", "-r", "r.txt", "--target", tmp_path / "there")

    there = {path.name for path in (tmp_path / "there").glob("*.dist-info")}
    assert {"alpha-1.0.dist-info", "beta-2.0.dist-info"} == there


def test_an_export_comes_back_as_the_same_lock(machine: Machine, project: Project) -> None:
    before = {(pin["name"], pin["version"]) for pin in _pins(project.root)}
    for name, form in (("requirements.txt", "requirements"), ("pylock.toml", "pylock")):
        folder = machine.root / form
        folder.mkdir()
        project.envknit("export", "--all-groups", "--format", form, "-o", folder / name)

        machine.run("-m", "envknit", "import", "--no-install", cwd=folder)

        assert before - {("delta", "1.0")} == {(pin["name"], pin["version"]) for pin in _pins(folder)}


def test_a_bill_of_materials_names_every_component_and_edge(project: Project) -> None:
    told = json.loads(project.envknit("export", "--format", "cyclonedx").out)

    assert ("CycloneDX", "1.6") == (told["bomFormat"], told["specVersion"])
    assert ["alpha", "beta", "gamma", "probe"] == [one["name"] for one in told["components"]]
    edges = {row["ref"]: row["dependsOn"] for row in told["dependencies"]}
    assert ["pkg:pypi/beta@2.0", "pkg:pypi/gamma@1.0"] == edges["pkg:pypi/alpha@1.0"]
    digests = told["components"][0]["externalReferences"][0]["hashes"]
    assert [{"alg": "SHA-256", "content": _pins(project.root)[0]["files"][0]["sha256"]}] == digests


def test_what_cannot_be_exported_is_told(project: Project, index: LoopbackIndex) -> None:
    index.publish("one", "1.0", requires=["beta<2"])
    index.publish("other", "1.0", requires=["beta>=2"])
    project.write("envknit.yaml", "environments:\n  default:\n    packages: [one, other]\n")
    project.envknit("lock", "--split")

    said = project.envknit("export", status=2).err
    assert "beta is split, so no other tool can install this lock" in said
    assert "1.0, 2.0" in said
    assert 2 == project.envknit("export", "--format", "cyclonedx").out.count('"name": "beta"')
    said = project.envknit("export", "--format", "cyclonedx", "-o", "nowhere/x.json", status=2).err
    assert "the file cannot be written" in said


@pytest.mark.once
@pytest.mark.network
def test_uv_and_the_schema_of_cyclonedx_agree(online: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["flask==3.0.0", "tqdm"]\n'
    )
    tools = tmp_path / "tools"
    online.run("-m", "venv", tools)
    online.run(tools / "bin" / "pip", "install", "-q", "uv", "cyclonedx-python-lib[json-validation]")
    uv = tools / "bin" / "uv"
    online.run(uv, "lock", "-q", "--resolution", "lowest-direct", cwd=folder)

    online.run("-m", "envknit", "import", "uv.lock", "--no-install", cwd=folder)
    online.run("-m", "envknit", "export", "--format", "pylock", "-o", "pylock.toml", cwd=folder)
    online.run("-m", "envknit", "export", "--format", "cyclonedx", "-o", "bom.json", cwd=folder)
    online.run("-m", "venv", "--without-pip", folder / "venv")
    online.run(uv, "pip", "sync", "-q", "--python", folder / "venv" / "bin" / "python", "pylock.toml", cwd=folder)

    frozen = online.run(uv, "pip", "freeze", "--python", folder / "venv" / "bin" / "python", cwd=folder).out.split()
    exported = online.run(uv, "export", "-q", "--frozen", "--no-hashes", "--no-emit-project", cwd=folder).out
    from_uv = {line.split(" ")[0] for line in exported.splitlines() if "==" in line and "win32" not in line}
    assert set(frozen) == from_uv
    assert set(frozen) <= {f"{pin['name']}=={pin['version']}" for pin in _pins(folder)}

    def check():
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator

        print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open("bom.json").read()))

    assert "None\n" == online.run(tools / "bin" / "python", "-c", check, cwd=folder).out


def _pins(folder: Path) -> list[dict[str, object]]:
    lock = yaml.safe_load((folder / "envknit.lock.yaml").read_text())
    pins: list[dict[str, object]] = lock["environments"]["default"]["packages"]
    return pins
