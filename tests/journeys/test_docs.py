"""Every code block of README and docs does what it says.

A page is one journey: its blocks run in order, in an empty project folder, against an index of tiny wheels.

    ```yaml, ```python, ```toml, ```json  whose first line is `# path` is written to that file; Python without
                                          one is run at once
    ```console                            lines that begin with `$ ` run in sh; the lines below one are what it
                                          prints, where `...` stands for anything, and for any lines if it is alone;
                                          `# exits with 1` at the end of a command says so
    ```sh, ```text, ```dockerfile         only shown
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from kit import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit import LoopbackIndex

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
)
ON_THE_REAL_INDEX = ["README.md", "docs/tutorial/first-project.md"]
NO_MODULES = {"site", "import", "stat", "find_spec", "import_module", "__import__", "bin"}  # words of the tour
SHOWN = {"", "sh", "text", "dockerfile"}
RUN = {"yaml", "python", "toml", "json", "console"}

_FLASK = """\
class Flask:
    def __init__(self, name):
        self.routes = {}

    def route(self, path):
        return lambda function: self.routes.setdefault(path, function)

    def test_client(self):
        return self

    def get(self, path):
        self.text = self.routes[path]()
        return self


def main():
    print("Flask 3.0.0")
"""

_AIOFILES = """\
import asyncio

class open:
    def __init__(self, path):
        self.path = path

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        return None

    async def read(self):
        await asyncio.sleep(0)
        import builtins
        with builtins.open(self.path) as file:
            return file.read()
"""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and where it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Step:
    """One command of a console block, what it prints and how it ends."""

    command: str
    expected: list[str]
    status: int


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, index: LoopbackIndex) -> Machine:
    """A machine whose index has what the pages name."""
    for version in ("7.1.2", "8.0.4", "8.1.7"):
        index.publish("click", version, {"click/__init__.py": f"__version__ = {version!r}\n"})
    index.publish(
        "typer", "0.3.2", {"typer/__init__.py": "", "typer/main.py": "import click\n"}, requires=["click<7.2"]
    )
    index.publish("markupsafe", "3.0.0")
    index.publish("jinja2", "3.1.0", requires=["markupsafe>=2"])
    scripts = {"console_scripts": {"flask": "flask:main"}}
    index.publish(
        "flask", "3.0.0", {"flask/__init__.py": _FLASK}, requires=["click>=8", "jinja2"], entry_points=scripts
    )
    index.publish("requests", "2.31.0")
    index.publish("six", "1.17.0")
    index.publish("aiofiles", "24.1.0", files={"aiofiles/__init__.py": _AIOFILES})
    index.publish("ipykernel", "6.0.0")
    runs = {"console_scripts": {"pytest": "pytest:main"}}
    index.publish("pytest", "8.0.0", {"pytest/__init__.py": "def main(): print('pytest 8.0.0')\n"}, entry_points=runs)
    return Machine(tmp_path / "machine", index)


@pytest.mark.ends
@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page_does_what_it_says(page: str, machine: Machine) -> None:
    _walk(page, machine)


@pytest.mark.once
@pytest.mark.network
@pytest.mark.parametrize("page", ON_THE_REAL_INDEX)
def test_the_first_pages_do_so_with_real_packages(page: str, online: Machine) -> None:
    _walk(page, online)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    missing = [link for link in links if not ((ROOT / page).parent / link.partition("#")[0]).exists()]

    assert [] == missing


@pytest.mark.once
def test_the_index_of_the_pages_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")

    named = {f"docs/{link}" for link in re.findall(r"\]\(([^)#]+\.md)\)", index)}
    assert named == {page for page in PAGES if page not in {"README.md", "CONTRIBUTING.md", "docs/index.md"}}


@pytest.mark.once
def test_the_tour_walks_through_every_room_and_names_what_is_there() -> None:
    tour = (ROOT / "docs" / "explanation" / "tour.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "envknit"

    rooms = {folder.parent.name for folder in source.glob("*/__init__.py")}
    walked = set(re.findall(r"`(\w+)/`", tour))
    assert rooms - {"isolation"} == walked - {"bootstrap"}
    named = re.findall(r"`((?:src|bootstrap)/[\w/]+\.py)`", tour)
    assert [] == [path for path in named if "VERB" not in path and not (ROOT / path).exists()]
    modules = {path.stem for folder in (source, ROOT / "bootstrap") for path in folder.rglob("*.py")}
    for room in re.findall(r"^## .*?(?=^## |\Z)", tour, re.MULTILINE | re.DOTALL):
        if re.match(r"## .*`\w+/`", room):
            prose = re.sub(r"```.*?```", "", room, flags=re.DOTALL)
            words = set(re.findall(r"`([a-z_]+)`", prose)) - NO_MODULES
            assert set() == words - modules - rooms, room.splitlines()[0]


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES)
def test_no_page_sends_people_to_the_other_product_of_this_name(page: str) -> None:
    assert not re.search(r"pip install (-\S+ )*envknit\b(?!/)", (ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.once
def test_every_error_has_its_entry_among_the_troubles() -> None:
    from envknit import errors

    page = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = "".join(re.findall(r"^## (.*)$", page, re.MULTILINE))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.EnvknitError)]
    assert [] == [kind.__name__ for kind in kinds if kind.__name__ not in headings and kind is not errors.EnvknitError]


def _walk(page: str, machine: Machine) -> None:
    folder = machine.root / "project"
    folder.mkdir()
    for block in _blocks((ROOT / page).read_text(encoding="utf-8")):
        where = f"{page}:{block.line}"
        if block.language == "console":
            _converse(block, machine, folder, where)
        elif block.language in RUN:
            _write_or_run(block, machine, folder, where)
        else:
            assert block.language in SHOWN, f"{where}: nobody runs a block of {block.language!r}"


def _blocks(text: str) -> Iterator[Block]:
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)


def _write_or_run(block: Block, machine: Machine, folder: Path, where: str) -> None:
    named = re.match(r"# (\S+\.\w+)\n", block.text)
    if block.language == "yaml":
        yaml.safe_load(block.text)
    elif block.language == "json":
        json.loads(block.text)
    if named:
        target = folder / named[1]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
        if target.name == "envknit.yaml":
            (folder / "envknit.lock.yaml").unlink(missing_ok=True)
    else:
        assert block.language == "python", f"{where}: the first line must name a file"
        machine.run("-c", block.text, cwd=folder)


def _converse(block: Block, machine: Machine, folder: Path, where: str) -> None:
    """Run the commands of a block one by one; `cd` lasts until the end of the block."""
    shell = shutil.which("sh")
    assert shell
    here = folder
    note = machine.root / "working-folder"
    for step in _steps(block.text):
        script = f"exec 2>&1\n{step.command}\nended=$?\npwd >'{note}'\nexit $ended"
        ran = machine.run(shell, "-c", script, cwd=here, env={"OLDPWD": str(here)}, status=None)
        said = ran.out.splitlines()
        told = f"{where}: $ {step.command}\n" + "\n".join(said)
        assert step.status == ran.status, told
        here = Path(note.read_text(encoding="utf-8").strip())
        if step.expected or step.status == 0:
            assert _matches(step.expected, said), "\n".join([told, "where the page says", *step.expected])


def _steps(text: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *expected = part.rstrip("\n").split("\n")
        ends = re.search(r"\s+# exits with (\d+)$", command)
        yield Step(command[: ends.start()] if ends else command, expected, int(ends[1]) if ends else 0)


def _matches(expected: list[str], said: list[str]) -> bool:
    """Compare lines; one of `...` alone is any number of lines."""
    pieces = []
    for line in expected:
        if line == "...":
            pieces.append(r"(?:.*\n)*?")
        else:
            pieces.append(".*".join(re.escape(part) for part in line.split("...")) + r"\n")
    return re.fullmatch("".join(pieces), "".join(f"{line.rstrip()}\n" for line in said)) is not None
