"""A store among people who share groups, folders and machines: nobody plants anything in it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from _envknit_finder import pack_bytecode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Verb
    from kit import LoopbackIndex, Machine, Project

pytestmark = pytest.mark.once
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play several users")

LOOSE = "import os, sys; os.umask(int(sys.argv[1], 8)); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
OLD_LOCK = 'schema_version: "1.0"\nenvironments:\n  default:\n'


def _installed(machine: Machine, index: LoopbackIndex, verb: Verb) -> Project:
    index.publish("lib", "1.0", {"lib/__init__.py": "x = 1\n"}, entry_points={"console_scripts": {"lib": "lib:x"}})
    project = machine.project(["lib"])
    verb(project, "lock")
    verb(project, "install")
    return project


def _published(machine: Machine, index: LoopbackIndex) -> Project:
    index.publish("lib", "1.0", {"lib/__init__.py": "x = 1\n"}, entry_points={"console_scripts": {"lib": "lib:x"}})
    index.publish_sdist("made", "1.0")
    return machine.project(["lib", "made"])


@pytest.mark.parametrize("umask", ["000", "002", "022"])
def test_no_umask_lets_others_write_anywhere_in_the_store(umask: str, machine: Machine, index: LoopbackIndex) -> None:
    project = _published(machine, index)
    for command in ("-m envknit lock", "-m envknit install", "-c 'import lib, made'", "-m envknit verify"):
        argv = ["-c", "import lib, made"] if "import" in command else command.split()
        machine.run("-c", LOOSE, umask, *argv, cwd=project.root)

    assert 0o700 == machine.home.stat().st_mode & 0o777
    loose = [path for path in machine.home.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert [] == loose


def test_a_store_that_others_may_write_is_refused(machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    project = _installed(machine, index, verb)
    machine.home.chmod(0o777)

    for line in ("install", "verify", "verify --all"):
        assert "may be written by others" in verb(project, line, status=4)
    assert "may be written by others" in verb(project, "doctor", status=1)
    assert "ModuleNotFoundError" in project.code("import lib", status=1).err


@pytest.mark.parametrize("path", ["packages", "packages/site-packages", "plans", "plans/2"])
def test_a_folder_within_that_others_may_write_is_found_and_mended(
    path: str, machine: Machine, index: LoopbackIndex, verb: Verb
) -> None:
    project = _installed(machine, index, verb)
    (machine.home / path).chmod(0o777)

    assert f"others: {path}\n" in verb(project, "verify", status=1)
    assert f"others: {path}\n" in verb(project, "verify --all", status=1)
    assert path in verb(project, "doctor", status=1)
    assert f"mended others: {path}\n" in verb(project, "verify --repair")
    assert "all as it was placed" in verb(project, "verify")


@needs_root
def test_a_store_that_belongs_to_somebody_else_is_refused(machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    project = _installed(machine, index, verb)
    os.chown(machine.home, 65534, 65534)

    for line in ("install", "verify"):
        assert "belongs to another user" in verb(project, line, status=4)
    assert "ModuleNotFoundError" in project.code("import lib", status=1).err


def test_bytecode_with_one_flipped_bit_is_noticed_at_import_and_written_anew(
    machine: Machine, index: LoopbackIndex, verb: Verb
) -> None:
    project = _installed(machine, index, verb)
    assert "1\n" == project.code("import lib; print(lib.x)").out
    (cached,) = machine.home.glob("bytecode/*/**/lib/__init__.pyc")
    whole = cached.read_bytes()
    for at in range(16, len(whole), len(whole) // 6):
        cached.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "1\n" == project.code("import lib; print(lib.x)").out
    assert whole[:8] == cached.read_bytes()[:8]
    assert "1\n" == project.code("import lib; print(lib.x)").out


def test_a_lock_of_this_form_names_no_folder(machine: Machine) -> None:
    project = machine.project()
    project.write("vendor/one.py", "print('not hashed')")
    packages = "    packages:\n      - {name: one, version: '1.0', direct: true, install_path: vendor}\n"
    project.lock_file.write_text(OLD_LOCK + packages)

    project.envknit("install", status=4)


def test_a_lock_of_the_older_form_names_folders_beside_itself_and_a_warning_says_so(machine: Machine) -> None:
    project = machine.project()
    project.write("vendor/one.py", "x = 1")
    project.lock_file.write_text(f"{OLD_LOCK}    - {{name: one, version: '1.0', install_path: vendor}}\n")

    ran = machine.envknit("-C", "project", "install", cwd=machine.root)

    assert f"warning: one 1.0 is {project.root}/vendor" in ran.err
    assert "1\n" == project.code("import one; print(one.x)").out


@pytest.mark.parametrize("inside", ["", "one.py", "sub"])
def test_a_folder_that_others_may_write_is_not_installed(inside: str, machine: Machine) -> None:
    project = machine.project()
    project.write("vendor/one.py", "x = 1")
    project.write("vendor/sub/two.py", "x = 1")
    (project.root / "vendor" / inside).chmod(0o777)
    project.lock_file.write_text(f"{OLD_LOCK}    - {{name: one, version: '1.0', install_path: vendor}}\n")

    assert "a folder that others may write to" in project.envknit("install", status=2).err


def test_names_of_envknits_own_never_come_from_a_plan(machine: Machine, index: LoopbackIndex) -> None:
    own = {"_envknit_bootstrap.py": "raise SystemExit('evil')", "envknit/__init__.py": "raise SystemExit('evil')"}
    index.publish("evil", "1.0", {"evil/__init__.py": "", **own})
    project = machine.project(["evil"]).ready()

    program = "import evil, envknit, _envknit_bootstrap as b; print(b.active.environment, envknit.__name__)"
    assert "default envknit\n" == project.code(program).out
    assert "default envknit\n" == project.run(_written(project, program), env={"PYTHONDONTWRITEBYTECODE": "1"}).out
    project.envknit("status")


def _written(project: Project, program: str) -> Path:
    return project.write("other.py", program)


@pytest.mark.parametrize("home", ["store", "~nobody-of-this-name/x", "./x", "../x"])
def test_a_store_that_is_no_absolute_path_is_none(home: str, machine: Machine) -> None:
    project = machine.project()
    project.lock()
    env = {"ENVKNIT_HOME": home}

    for line in ("lock --upgrade", "install", "verify", "store path", "store gc"):
        assert "set ENVKNIT_HOME to an absolute path" in project.envknit(*line.split(), env=env, status=4).err
    project.envknit("status", env=env, status=None)
    assert "None\n" == project.run("-c", "import _envknit_bootstrap as b; print(b.active)", env=env).out
    assert ["envknit.lock.yaml", "envknit.yaml"] == sorted(path.name for path in project.root.iterdir())


def _unlock(path: Path) -> None:
    path.parent.chmod(0o755)
    if not path.is_symlink():
        path.chmod(0o644)


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a changed module": ("packages/site-packages/lib-*/lib/__init__.py", lambda path: path.write_text("x = 666\n")),
    "a planted module": ("packages/site-packages/lib-*/lib/__init__.py", lambda path: path.with_name("y.py").touch()),
    "a lost module": ("packages/site-packages/lib-*/lib/__init__.py", lambda path: path.unlink()),
    "a lost note": ("packages/site-packages/lib-*/*.dist-info/ARTIFACT", lambda path: path.unlink()),
    "a writable module": ("packages/site-packages/lib-*/lib/__init__.py", lambda path: path.chmod(0o644)),
    "a writable entry": ("packages/site-packages/lib-*/lib", lambda path: path.parent.chmod(0o755)),
    "an evil script": ("plans/*/*/*/views/*/bin/lib", lambda path: path.write_text("#!/bin/sh\necho evil\n")),
    "a lost script": ("plans/*/*/*/views/*/bin/lib", lambda path: path.unlink()),
    "another python": ("plans/*/*/*/views/*/bin/python", lambda path: (path.unlink(), path.symlink_to("/bin/sh"))),
    "a planted link": (
        "plans/*/*/*/trees/*/lib/*/site-packages/lib",
        lambda path: (path.unlink(), path.symlink_to("/tmp")),
    ),
    "a planted module in the view": (
        "plans/*/*/*/trees/*/lib/*/site-packages/lib",
        lambda path: path.with_name("json.py").touch(),
    ),
    "a changed envknit": (
        "packages/site-packages/envknit=*/envknit/plan.py",
        lambda path: path.write_text("import os\n"),
    ),
    "a changed hook": ("packages/site-packages/envknit=*/_envknit_bootstrap.py", lambda path: path.write_text("")),
    "another plan": (
        "plans/*/*/*/trees/*/plan",
        lambda path: path.write_text(path.read_text().replace("site\thidden", "site\tvisible")),
    ),
    "a damaged plan": ("plans/*/*/*/trees/*/plan", lambda path: path.write_text("envknit-plan 2\n")),
    "evil bytecode": (
        "bytecode/*/**/lib/__init__.pyc",
        lambda path: path.write_bytes(pack_bytecode(compile("", "", "exec"))),
    ),
    "a pipe for bytecode": ("bytecode/*/**/lib/__init__.pyc", lambda path: (path.unlink(), os.mkfifo(path))),
    "a pipe for a module": (
        "packages/site-packages/lib-*/lib/__init__.py",
        lambda path: (path.unlink(), os.mkfifo(path)),
    ),
    "a pipe for a RECORD": (
        "packages/site-packages/lib-*/*.dist-info/RECORD",
        lambda path: (path.unlink(), os.mkfifo(path)),
    ),
    "a pipe for a note": (
        "packages/site-packages/lib-*/*.dist-info/ARTIFACT",
        lambda path: (path.unlink(), os.mkfifo(path)),
    ),
    "torn bytecode": ("bytecode/*/**/lib/__init__.pyc", lambda path: path.write_bytes(path.read_bytes()[:40])),
}


@pytest.mark.parametrize("title", DAMAGE)
def test_damage_is_found_and_mended(title: str, machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    project = _installed(machine, index, verb)
    pattern, harm = DAMAGE[title]
    (path,) = machine.home.glob(pattern)
    _unlock(path)
    harm(path)
    whole = " --all" if "module" in title else ""

    if "/views/" in pattern or "in the view" in title:
        assert "something else wrote into the environment" in project.envknit("doctor").out
    assert "to repair: run: envknit verify --repair" in verb(project, "verify" + whole, status=1)
    mended = verb(project, "verify --repair" + whole)
    assert any(word in mended for word in ("mended", "placed anew", "removed"))
    assert "all as it was placed" in verb(project, "verify --all")
    assert "everything is installed" in verb(project, "install")
    assert "1\n" == project.code("import lib; print(lib.x)").out


@pytest.mark.once
def test_pip_installs_nothing_into_a_view_not_even_as_root(machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    project = _installed(machine, index, verb)
    index.publish("lib", "2.0", {"lib/__init__.py": "x = 2\n"})
    (python,) = machine.home.glob("plans/*/*/*/environments/default/bin/python")
    elsewhere = project.root / "elsewhere"
    env = {"PIP_CONFIG_FILE": None}  # it keeps pip from the environment's file too

    for words in ("-U lib", "--ignore-installed lib", "--force-reinstall --no-deps lib"):
        ran = project.run("-m", "pip", "--python", python, "install", *words.split(), env=env, status=1)
        assert "'--user' install" in ran.err
    project.run("-m", "pip", "--python", python, "install", "--no-user", "--target", elsewhere, "lib", env=env)
    project.run("-m", "pip", "--python", python, "uninstall", "-y", "lib", env=env, status=None)

    assert "all as it was placed" in verb(project, "verify --all")
    assert "x = 2\n" == (elsewhere / "lib/__init__.py").read_text()


@needs_root
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to mount")
def test_a_read_only_store_is_verified(machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    project = _installed(machine, index, verb)
    home = machine.home
    script = f'mount --bind {home} {home} && mount -o remount,bind,ro {home} && exec "$@"'

    argv = ["unshare", "--mount", "sh", "-c", script, "sh", machine.python, "-m", "envknit", "verify", "--all"]
    ran = subprocess.run(argv, cwd=project.root, env=machine.env, capture_output=True, text=True, check=True)

    assert "all as it was placed" in ran.stdout


def test_what_cannot_be_had_again_is_put_back(machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    project = _installed(machine, index, verb)
    (path,) = machine.home.glob("packages/site-packages/lib-*/lib/__init__.py")
    _unlock(path)
    path.write_text("x = 2\n")
    index.files.clear()

    verb(project, "verify --repair", status=4)
    assert "2\n" == project.code("import lib; print(lib.x)").out


def test_repairing_the_store_installs_no_lock_that_was_not_installed(
    machine: Machine, index: LoopbackIndex, verb: Verb
) -> None:
    project = _installed(machine, index, verb)
    index.publish("evil", "1.0", {"evil/__init__.py": "x = 1\n"})
    (path,) = machine.home.glob("packages/site-packages/lib-*/lib/__init__.py")
    _unlock(path)
    path.write_text("x = 2\n")
    project.write("envknit.yaml", "environments: {default: {packages: [evil]}}\n")
    verb(project, "lock")

    verb(project, "verify --repair --all")

    assert [] == list(machine.home.glob("packages/site-packages/evil-*"))
    assert "ModuleNotFoundError" in project.code("import evil", status=1).err


def test_bundles_are_in_the_whole_store(machine: Machine, index: LoopbackIndex, verb: Verb) -> None:
    index.publish("shared-a", "1.0", {"shared/__init__.py": "", "shared/a.py": "A = 1\n"})
    index.publish("shared-b", "1.0", {"shared/b.py": "B = 1\n"})
    project = machine.project(["shared-a", "shared-b"])
    verb(project, "lock")
    verb(project, "install")
    (path,) = machine.home.glob("packages/site-packages/bundle=*/shared/a.py")
    _unlock(path)
    path.with_name("planted.py").touch()

    for line in ("verify", "verify --all"):
        assert "extra: packages/site-packages/bundle=" in verb(project, line, status=1)
    verb(project, "verify --repair")
    assert "1 1\n" == project.code("import shared.a, shared.b; print(shared.a.A, shared.b.B)").out
