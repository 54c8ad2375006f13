"""The JSON Schemas in docs/reference accept what the readers accept, and refuse what has another shape."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envknit.errors import EnvknitError, LockError, ProjectError
from envknit.files.lockfile import parse_lock
from envknit.files.model import PLATFORMS, PRERELEASES, RESOLUTIONS, Artifact, Edge, Environment, Lock, Pin
from envknit.files.plain_yaml import read_plain_yaml
from envknit.files.written_lock import render_lock
from envknit.projects.settings import TOP, read_environments, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

fastjsonschema = pytest.importorskip("fastjsonschema")  # it is among the requirements for tests
pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[3] / "docs" / "reference"

NAMES = st.sampled_from(["default", "ml", "docs-2"])
VERSIONS = st.sampled_from(["3.12", ">=3.10", "<4,>=3.11"])
REQUIREMENTS = st.one_of(
    st.sampled_from(["flask", "flask>=3", "lib[a,b]==1; python_version < '3.12'", "lib @ file:../lib"]),
    st.fixed_dictionaries({"name": st.just("lib")}, optional={"version": st.sampled_from(["1.0", ">=2"])}),
    st.fixed_dictionaries({"name": st.just("lib"), "path": st.just("../lib")}, optional={"editable": st.booleans()}),
)
LISTS = st.lists(REQUIREMENTS, max_size=2)
GROUPS = st.dictionaries(NAMES, LISTS, max_size=2)
TEXTS = st.lists(st.sampled_from(["dev", "docs"]), max_size=2)
ENVIRONMENTS = st.fixed_dictionaries(
    {},
    optional={
        "python_version": VERSIONS,
        "node_version": st.sampled_from(["20", ">=18"]),
        "packages": LISTS,
        "dev_packages": LISTS,
        "groups": GROUPS,
        "extras": GROUPS,
        "constraints": LISTS,
        "overrides": LISTS,
    },
)
PROJECTS = st.fixed_dictionaries(
    {"environments": st.dictionaries(NAMES, ENVIRONMENTS, max_size=2)},
    optional={
        "default_groups": st.one_of(st.just("all"), TEXTS),
        "exclude_newer": st.sampled_from(["2025-03-01", "1 week"]),
        "indexes": st.just(["pip", "../wheels"]),
        "native": TEXTS,
        "node_version": st.just("20"),
        "prerelease": st.sampled_from(PRERELEASES),
        "resolution": st.sampled_from(RESOLUTIONS),
        "split": st.one_of(st.just("auto"), TEXTS),
        "startup": TEXTS,
        "system_site_packages": st.booleans(),
        "targets": st.lists(st.sampled_from(list(PLATFORMS)), max_size=2),
    },
)
WHOLE = Lock(
    environments={
        "default": Environment(
            name="default",
            python_version=">=3.10",
            requirements=("app",),
            groups={"dev": ("lib",), "docs": ()},
            extras={"cli": ("lib",)},
            constraints=("lib<9",),
            overrides=("lib>1",),
            unlocked=("group lint",),
            node_version="==20.*",
            pins=(
                Pin(
                    name="app",
                    version="1.0",
                    files=(Artifact(name="app-1.0-py3-none-any.whl", sha256="0" * 64, size=10),),
                    dependencies=(Edge(name="lib", version="2.0", marker='sys_platform == "linux"'),),
                    roots=("", "'docs' in dependency_groups"),
                    requires_python=">=3.8",
                    source="git+https://host/app#commit=0123",
                ),
                Pin(name="lib", version="2.0", marker='sys_platform == "linux"', dev=True),
            ),
        )
    },
    targets=("linux-x86_64",),
    system_site_packages=True,
    startup=("app",),
    native=("app",),
    default_groups=("docs",),
    exclude_newer="P7D",
    resolution="lowest",
    prerelease="allow",
)
ODD = [{"odd": {"odd": "x"}}, [["x"]], [{"odd": "x"}], {}, []]


def read_project(data: object) -> None:
    fields = read_plain_yaml(text_of(data), "envknit.yaml", ProjectError, "project").fields(TOP)
    read_settings(fields)
    read_environments(fields, {})


def read_lock(data: object) -> None:
    parse_lock(text_of(data), "envknit.lock.yaml")


def text_of(data: object) -> bytes:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, _: object) -> bool:
            return True

    return yaml.dump(data, Dumper=Plain, sort_keys=False).encode()


def accepted(check: Callable[[Any], object], data: object) -> bool:
    try:
        check(data)
    except (EnvknitError, fastjsonschema.JsonSchemaException):
        return False
    return True


def schema(name: str) -> Callable[[Any], object]:
    return fastjsonschema.compile(json.loads((ROOT / f"{name}.schema.json").read_text(encoding="utf-8")))  # type: ignore[no-any-return]


PROJECT, LOCK = schema("project"), schema("lock")


def places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the ways to everything in nested data."""
    yield above
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, child in children:
        yield from places(child, (*above, key))


def changed(data: Any, way: tuple[Any, ...], value: Any, *, into: bool) -> Any:
    """Put an odd value at a place, or a key of no meaning into the mapping there."""
    whole = {"": copy.deepcopy(data)}
    held: Any = whole
    for key in ("", *way)[:-1]:
        held = held[key]
    last = ("", *way)[-1]
    if into and isinstance(held[last], dict):
        held[last]["odd"] = value
    else:
        held[last] = value
    return whole[""]


@given(PROJECTS)
def test_a_project_file_that_the_reader_takes_fits_its_schema(data: dict[str, Any]) -> None:
    read_project(data)
    PROJECT(data)


@given(PROJECTS, st.data(), st.sampled_from(ODD), st.booleans())
def test_reader_and_schema_agree_on_the_shape_of_a_project_file(
    data: dict[str, Any],
    choose: st.DataObject,
    odd: object,
    into: bool,  # noqa: FBT001 - drawn
) -> None:
    other = changed(data, choose.draw(st.sampled_from(list(places(data)))), odd, into=into)

    assert accepted(read_project, other) == accepted(PROJECT, other), text_of(other).decode()


def test_a_lock_that_says_all_there_is_fits_its_schema_and_names_nothing_else() -> None:
    written = yaml.safe_load(render_lock(WHOLE))
    LOCK(written)

    strict = json.loads((ROOT / "lock.schema.json").read_text(encoding="utf-8").replace(
        '"properties"', '"additionalProperties": false, "properties"'
    ))  # fmt: skip
    fastjsonschema.compile(strict)(written)


@given(st.data(), st.sampled_from(ODD), st.booleans())
def test_reader_and_schema_agree_on_the_shape_of_a_lock(
    choose: st.DataObject,
    odd: object,
    into: bool,  # noqa: FBT001 - drawn
) -> None:
    data = yaml.safe_load(render_lock(WHOLE))
    way = choose.draw(st.sampled_from(list(places(data))))
    other = changed(data, way, odd, into=into)
    try:
        read_lock(other)
    except LockError as error:
        if "not pinned" in error.message or "is pinned twice" in error.message:  # what texts mean, no schema knows
            return
    assert accepted(read_lock, other) == accepted(LOCK, other), text_of(other).decode()


@pytest.mark.parametrize(
    ("check", "reader", "text", "good"),
    [
        (PROJECT, read_project, "environments: {default: {packages: }}", True),
        (PROJECT, read_project, "environments:", True),
        (PROJECT, read_project, "environments: {default: {python_version: 3.12, packages: [flask]}}", True),
        (PROJECT, read_project, "enviroments: {}", False),
        (PROJECT, read_project, "environments: {default: {pacakges: []}}", False),
        (PROJECT, read_project, "targets: [plan9]", False),
        (PROJECT, read_project, "system_site_packages: perhaps", False),
        (PROJECT, read_project, "split: never", False),
        (LOCK, read_lock, 'schema_version: "1.7"\nenvironments: {a: {shiny: 1}}', True),
        (LOCK, read_lock, 'schema_version: "2.0"\nenvironments: {}', False),
        (LOCK, read_lock, 'schema_version: "1.0"', False),
        (LOCK, read_lock, 'schema_version: "1.0"\nenvironments: {a: [{name: x, version: "1"}]}', True),
        (LOCK, read_lock, 'schema_version: "1.0"\nenvironments: {a: {packages: [{name: x}]}}', False),
    ],
)
def test_what_people_write_is_judged_alike(
    check: Callable[[Any], object],
    reader: Callable[[object], None],
    text: str,
    good: bool,  # noqa: FBT001 - a table
) -> None:
    data = yaml.safe_load(text)
    kept = data if "None" not in repr(data) else None
    assert good == accepted(check, data)
    if kept is not None:
        assert good == accepted(reader, kept)
