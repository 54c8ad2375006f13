"""Reading and writing locks."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envknit.errors import LockError, SchemaVersionError
from envknit.files.lockfile import parse_lock, read_lock
from envknit.files.model import Artifact, Edge, Environment, Lock, Pin
from envknit.files.written_lock import holds, render_lock, write_lock

if TYPE_CHECKING:
    from pathlib import Path

HASH = "0123456789abcdef" * 4

SMALL = Lock(
    environments={
        "default": Environment(
            name="default",
            python_version=">=3.11",
            requirements=("flask>=2",),
            groups={"dev": ("pytest",)},
            pins=(
                Pin(
                    name="click",
                    version="8.1.7",
                    files=(
                        Artifact(name="click-8.1.7-py3-none-any.whl", sha256=HASH, size=97941),
                        Artifact(name="click-8.1.7.tar.gz", sha256=HASH),
                    ),
                    dependencies=(Edge(name="colorama", version="0.4.6", marker='platform_system == "Windows"'),),
                    requires_python=">=3.7",
                ),
                Pin(name="colorama", version="0.4.6", roots=("", 'sys_platform == "win32"'), dev=True),
                Pin(name="flask", version="3.0.0", roots=("",)),
            ),
        )
    }
)

TEXT = """\
# Made by `envknit lock`: edit the project file, not this one.
schema_version: "1.0"
environments:
  default:
    python_version: ">=3.11"
    requirements:
      - "flask>=2"
    dev_requirements:
      - "pytest"
    packages:
      - name: click
        version: "8.1.7"
        requires_python: ">=3.7"
        dependencies:
          - {name: colorama, version: "0.4.6", marker: 'platform_system == "Windows"'}
        files:
          - {name: click-8.1.7-py3-none-any.whl, sha256: "HASH", size: 97941}
          - {name: click-8.1.7.tar.gz, sha256: "HASH"}
      - name: colorama
        version: "0.4.6"
        direct: true
        roots:
          - ""
          - 'sys_platform == "win32"'
        dev: true
      - name: flask
        version: "3.0.0"
        direct: true
""".replace("HASH", HASH)


def parse(text: str) -> Lock:
    return parse_lock(text.encode(), "envknit.lock.yaml")


def test_a_lock_is_written_one_fact_a_line() -> None:
    assert render_lock(SMALL) == TEXT


def test_a_lock_that_was_written_reads_back() -> None:
    assert parse(TEXT) == SMALL


def test_other_yaml_readers_see_the_same_texts() -> None:
    lock = Lock(environments={"on": Environment(name="on", pins=(Pin(name="null", version="1.10"),))})

    read = yaml.safe_load(render_lock(lock))

    assert read["environments"]["on"]["packages"] == [{"name": "null", "version": "1.10"}]


def test_the_order_in_the_file_makes_no_difference() -> None:
    shuffled = TEXT.replace('      - "flask>=2"\n', '      - "flask>=2"\n').splitlines(keepends=True)
    head, body = shuffled[:10], "".join(shuffled[10:])
    pins = ["      - name:" + part for part in body.split("      - name:")[1:]]

    assert parse("".join([*head, *reversed(pins)])) == SMALL


def test_unknown_fields_are_ignored_and_an_equal_major_schema_is_read() -> None:
    assert parse(TEXT.replace('"1.0"', '"1.7"', 1).replace("direct: true", "direct: true\n        shiny: [1]")) == Lock(
        environments=SMALL.environments, schema_version="1.7"
    )


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    assert parse("\ufeff" + TEXT.replace("\n", "\r\n")) == SMALL


def test_a_larger_major_schema_is_an_error_that_says_to_upgrade() -> None:
    with pytest.raises(SchemaVersionError, match="newer envknit"):
        parse(TEXT.replace('"1.0"', '"2.0"', 1))


PACKAGES = "environments.default.packages"


@pytest.mark.parametrize(
    ("old", "new", "at", "complaint"),
    [
        ("name: click\n", "name: ../../etc\n", f"{PACKAGES}[0].name", "normalised name"),
        ("name: click\n", "name: Click\n", f"{PACKAGES}[0].name", "normalised name"),
        ("name: click\n", "name: '-'\n", f"{PACKAGES}[0].name", "normalised name"),
        ("name: click\n", f"name: {'a' * 101}\n", f"{PACKAGES}[0].name", "100 characters"),
        ("name: click\n        version", "version", f"{PACKAGES}[0]", "`name` is missing"),
        ('version: "8.1.7"', 'version: "8.01.7"', f"{PACKAGES}[0].version", "normalised version"),
        ('version: "8.1.7"', 'version: "../8"', f"{PACKAGES}[0].version", "normalised version"),
        ("click-8.1.7.tar.gz", "click-8.1.8.tar.gz", f"{PACKAGES}[0].files[1].name", "not a file of click"),
        ("click-8.1.7.tar.gz", "../click-8.1.7.tar.gz", f"{PACKAGES}[0].files[1].name", "not a file of click"),
        ("click-8.1.7.tar.gz", "clock-8.1.7.tar.gz", f"{PACKAGES}[0].files[1].name", "not a file of click"),
        ("click-8.1.7.tar.gz", "click-8.1.7.exe", f"{PACKAGES}[0].files[1].name", "not a file of click"),
        (f'"{HASH}", size', f'"{HASH.upper()}", size', f"{PACKAGES}[0].files[0].sha256", "not a sha256"),
        (f'"{HASH}", size', f'"{HASH[:-1]}", size', f"{PACKAGES}[0].files[0].sha256", "not a sha256"),
        (f'"{HASH}", size', '"", size', f"{PACKAGES}[0].files[0].sha256", "not a sha256"),
        (f', sha256: "{HASH}", size', ", size", f"{PACKAGES}[0].files[0]", "`sha256` is missing"),
        ("size: 97941", "size: -1", f"{PACKAGES}[0].files[0].size", "number of bytes"),
        ('colorama, version: "0.4.6"', 'colorama, version: "0.4.7"', "environments.default", "which is not pinned"),
        ('platform_system == "Windows"', "nonsense", f"{PACKAGES}[0].dependencies[0].marker", "not a marker"),
        ("name: flask\n", "name: colorama\n", "environments.default", r"pinned twice|not pinned"),
        ("dev: true", "dev: perhaps", f"{PACKAGES}[1].dev", "`true` or `false`"),
        ('"flask>=2"', '"flask >>2"', "environments.default.requirements[0]", "not a requirement"),
    ],
)
def test_a_bad_value_is_named_with_its_path(old: str, new: str, at: str, complaint: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    if "colorama\n" in new:
        text = text.replace('version: "3.0.0"', 'version: "0.4.6"')

    with pytest.raises(LockError, match=complaint) as caught:
        parse(text)

    assert caught.value.facts == {"lock": "envknit.lock.yaml", "at": at}


@pytest.mark.parametrize("text", ["", "a: 1\n", "[]\n", 'schema_version: "1.0"\n'])
def test_what_is_no_lock_is_told_so(text: str) -> None:
    with pytest.raises(LockError, match=r"not a lock|mapping was expected|no environments"):
        parse(text)


def test_a_lock_of_the_older_form_is_read() -> None:
    lock = parse(
        """
        schema_version: "1.0"
        environments:
          default:
            - name: Requests
              version: 2.31.0
              install_path: /home/ada/.envknit/packages/requests/2.31.0
              dependencies: ["idna<4", "PySocks; sys_platform == 'win32'"]
              sha256: 942c5a758f98d790eaed1a29cb6eefc7ffb0d1cf7af05c3d2791656dbd6ad1e1
            - {name: idna, version: "3.4", dev: true}
            - {name: PySocks, version: 1.7.1}
        """
    )

    assert lock.environments["default"].pins == (
        Pin(name="idna", version="3.4", roots=("",), dev=True),
        Pin(name="pysocks", version="1.7.1", roots=("",)),
        Pin(
            name="requests",
            version="2.31.0",
            roots=("",),
            install_path="/home/ada/.envknit/packages/requests/2.31.0",
            dependencies=(
                Edge(name="idna", version="3.4"),
                Edge(name="pysocks", version="1.7.1", marker='sys_platform == "win32"'),
            ),
        ),
    )


def test_writing_the_same_lock_again_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "envknit.lock.yaml"

    assert write_lock(path, SMALL) is True
    before = path.stat()
    assert write_lock(path, SMALL) is False
    assert path.stat() == before
    assert read_lock(path) == SMALL
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_other_line_ends_are_no_change(tmp_path: Path) -> None:
    path = tmp_path / "envknit.lock.yaml"
    path.write_bytes(render_lock(SMALL).replace("\n", "\r\n").encode())

    assert holds(path, SMALL)
    assert write_lock(path, SMALL) is False
    assert read_lock(path) == SMALL


def test_a_lock_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "envknit.lock.yaml"
    for target in ("nowhere/lock", path.name):
        path.symlink_to(target)
        with pytest.raises(LockError, match="the lock file cannot be written"):
            write_lock(path, SMALL)
        path.unlink()


def test_writing_keeps_the_mode_and_a_symbolic_link(tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text("", encoding="utf-8")
    real.chmod(0o640)
    link = tmp_path / "envknit.lock.yaml"
    link.symlink_to(real)

    write_lock(link, SMALL)

    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert read_lock(link) == SMALL


def test_a_missing_lock_says_which_command_makes_it(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="envknit lock"):
        read_lock(tmp_path / "envknit.lock.yaml")


# A busy machine is no fault of what is tested
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
versions = st.lists(st.integers(0, 2030), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
markers = st.sampled_from(["", 'sys_platform == "win32"', 'python_version < "3.12" or os_name == "nt"'])


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    environments = {}
    for environment in draw(st.sets(st.text(string.ascii_lowercase, min_size=1, max_size=6), max_size=3)):
        chosen = sorted(draw(st.dictionaries(names, versions, max_size=6)).items())
        pins = []
        for name, version in chosen:
            edges = draw(st.sets(st.sampled_from(chosen), max_size=3))
            wheel = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
            pins.append(
                Pin(
                    name=name,
                    version=version,
                    files=tuple(
                        Artifact(name=wheel, sha256=digest, size=draw(st.none() | st.integers(0, 1 << 40)))
                        for digest in draw(st.lists(hashes, max_size=1))
                    ),
                    dependencies=tuple(sorted(Edge(name=n, version=v, marker=draw(markers)) for n, v in edges)),
                    roots=tuple(sorted(draw(st.sets(markers, max_size=2)))),
                    dev=draw(st.booleans()),
                    requires_python=draw(st.sampled_from(["", ">=3.8", "!=3.9.*,>=3.8"])),
                )
            )
        environments[environment] = Environment(
            name=environment, python_version=draw(st.sampled_from(["", ">=3.10", "<4,>=3.9"])), pins=tuple(pins)
        )
    return Lock(
        environments=environments,
        targets=tuple(sorted(draw(st.sets(st.sampled_from(["linux-x86_64", "macos-arm64"]))))),
        system_site_packages=draw(st.booleans()),
        startup=tuple(sorted(draw(st.sets(names, max_size=2)))),
    )


@UNHURRIED
@given(locks())
def test_any_lock_survives_writing_and_reading_and_is_written_the_same_again(lock: Lock) -> None:
    text = render_lock(lock)

    assert parse(text) == lock
    assert render_lock(parse(text)) == text


@UNHURRIED
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_lock_or_a_lock_error(data: bytes) -> None:
    try:
        parse_lock(data, "x")
    except LockError:
        pass
    else:
        raise AssertionError(data)
