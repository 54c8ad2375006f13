"""What the pytest plugin does: run tests once for each version of a package, with the code under test imported anew.

    @pytest.mark.envknit(requests=["2.28.2", "2.31.0"])
    def test_reads(): ...

    pytest --envknit-matrix "pydantic=1,2"

Each combination is a world. The test module, the `conftest.py` files above it, and what they import of the project are
executed once more for it.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import envknit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from envknit.worlds.world import World


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str) -> Generator[None, Any, Any]:
    """Put a test that is for several versions in their place, one for each."""
    made = yield
    nodes = [*made] if isinstance(made, list) else [made] if made is not None else []
    here = collector.getparent(WorldModule)
    if here is not None:
        for node in nodes:
            if isinstance(node, pytest.Item):
                here.name_item(node)
        return made
    worlds = _worlds_of(nodes[0]) if nodes else []
    module = collector.getparent(pytest.Module)
    if worlds and module is not None:
        return [twin for each in worlds for twin in _module_in(module, each).twins(collector, name)]
    return made


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let what asks for modules by name on behalf of a test (`mock.patch`) mean those of its world."""
    here = item.getparent(WorldModule)
    if here is None:
        return (yield)
    with here.world:
        return (yield)


class WorldModule(pytest.Module):
    """A test module as it is in one world; its tests bear the id of the module that was collected, and the versions."""

    world: World
    plain: pytest.Module
    label: str
    found: dict[str, list[pytest.Item | pytest.Collector]]

    def name_item(self, item: pytest.Item) -> None:
        """Give a test the name and the id that show its versions."""
        within = item.nodeid[len(self.nodeid) :].rpartition("::")[0]
        name, bracket, rest = item.name.partition("[")
        item.name = f"{name}[{rest[:-1]}-{self.label}]" if bracket else f"{name}[{self.label}]"
        _set_id(item, f"{self.plain.nodeid}{within}::{item.name}")

    def twins(self, collector: pytest.Collector, name: str) -> list[pytest.Item | pytest.Collector]:
        """Return what here stands for one name in a collector of the plain module."""
        path = [node.name for node in collector.listchain() if isinstance(node, pytest.Class)]
        nodes: list[pytest.Item | pytest.Collector] = [self]
        for part in [*path, name]:
            nodes = [child for node in nodes for child in self._children(node) if _plain_name(child) == part]
        return nodes

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Collect the module, with the fixtures of its `conftest.py` files as they are in this world."""
        for file in _conftests(self):
            _add_fixtures(self, self.world.load(file))
        return super().collect()

    def _children(self, node: Any) -> list[pytest.Item | pytest.Collector]:
        if node.nodeid not in self.found:
            self.found[node.nodeid] = list(node.collect())
        return self.found[node.nodeid]

    def _getobj(self) -> Any:
        return self.world.load(self.path)


def _module_in(module: pytest.Module, versions: tuple[tuple[str, str], ...]) -> WorldModule:
    """Return the node of a module in the world of some versions."""
    made: dict[Any, WorldModule] = module.stash.setdefault(_made, {})
    if versions not in made:
        label = ",".join(f"{name}={version}" for name, version in versions)
        try:
            pins: dict[str, Any] = dict(versions)
            world = envknit.world(**pins)
        except envknit.EnvknitError as error:
            raise module.CollectError(f"{label}: {error}") from error
        node = WorldModule.from_parent(module.parent, path=module.path, nodeid=f"{module.nodeid}[{label}]")
        node.world, node.plain, node.label, node.found = world, module, label, {}
        made[versions] = node
    return made[versions]


def _worlds_of(node: Any) -> list[tuple[tuple[str, str], ...]]:
    """Return the combinations of versions that a test is for; by its mark, else by the option."""
    wanted: dict[str, list[str]] = {}
    marks = list(node.iter_markers("envknit"))
    for mark in reversed(marks):  # the closest last
        wanted.update({name: [each] if isinstance(each, str) else [*each] for name, each in mark.kwargs.items()})
    if not marks and isinstance(node, pytest.Item):
        for text in node.config.getoption("--envknit-matrix"):
            name, equals, versions = text.partition("=")
            if not equals or not all(versions.split(",")):
                raise pytest.UsageError(f"--envknit-matrix takes NAME=VERSION,VERSION, not {text!r}")
            wanted[name] = versions.split(",")
    choices = [[(name, _locked(name, each)) for each in versions] for name, versions in wanted.items()]
    return list(itertools.product(*choices)) if choices else []


def _locked(name: str, version: str) -> str:
    """Return the version of the lock that is meant: this one, or the latest that begins with it."""
    found = list(envknit.versions(name))
    alike = [each for each in found if each.startswith(f"{version}.")]
    return version if version in found or not alike else max(alike, key=_order)


def _order(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.split(".")]


def _set_id(node: Any, text: str) -> None:
    if hasattr(node, "_id"):  # since pytest 9.2
        node._id = type(node._id).parse(text)
    else:
        node._nodeid = text


def _add_fixtures(node: Any, module: object) -> None:
    manager = node.session._fixturemanager
    if hasattr(node, "_id"):
        manager.parsefactories(holder=module, node=node)
    else:
        manager.parsefactories(module, node.nodeid)


def _plain_name(node: Any) -> str:
    return getattr(node, "originalname", None) or str(node.name).partition("[")[0]


def _conftests(node: WorldModule) -> Iterator[Path]:
    """Yield the `conftest.py` files that count for a module, the outermost first."""
    plugins = node.config.pluginmanager.get_plugins()
    files = {Path(file) for file in (getattr(each, "__file__", None) for each in plugins) if file}
    for file in sorted(files, key=lambda file: len(file.parts)):
        if file.name == "conftest.py" and file.parent in node.path.parents:
            yield file


_made: pytest.StashKey[dict[Any, WorldModule]] = pytest.StashKey()
