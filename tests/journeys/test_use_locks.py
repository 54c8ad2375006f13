"""Which pin a name, a version, an environment and a lock mean: one answer, whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit import make_wheel, wheel_name
from kit.planned import make_plans, write_packages, write_plans
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Machine, Project

PACKAGES = {
    "lib==1.16.0": {"lib.py": "X = 1\n"},
    "lib==1.16.1": {"lib.py": "X = 2\n"},
    "lib==1.16+1": {"lib.py": "X = 3\n"},
    "jaraco-functools==2.0": {"jaraco/functools.py": "X = 1\n"},
    "duo==1.0": {"alpha.py": "X = 1\n", "beta.py": "X = 2\n"},
    "thing-core==1.0": {"_thing.py": "X = 1\n", "thing/__init__.py": "X = 1\n"},
    "nothing==1.0": {"share/x.txt": ""},
}
TASK = """
    def version():
        import lib
        return lib.X
    def in_each(lock):
        import envknit
        def inner():
            return version()
        inner.__qualname__ = f"in_{lock}"
        globals()[inner.__qualname__] = call = envknit.in_env("default", lock=f"{lock}/lock")(inner)
        return call
    decorated = [in_each(lock) for lock in ("one", "two", "three")]
"""


@pytest.fixture(name="project")
def _project(machine: Machine) -> Project:
    project = machine.project()
    both = {"jaraco-functools==2.0": (), "duo==1.0": (), "thing-core==1.0": (), "nothing==1.0": ()}
    make_plans(project, PACKAGES, {"default": {"lib==1.16.0": (), **both}, "old": {"lib==1.16.1": ()}})
    return project


@pytest.mark.parametrize(
    ("name", "version", "module"),
    [
        ("lib", "1.16", "lib"),
        ("lib", "v1.16.0", "lib"),
        ("Jaraco.Functools", "2", "jaraco.functools"),
        ("duo", "1.0", "alpha"),
        ("thing_core", "1.0", "thing"),
    ],
)
def test_use_and_worker_mean_the_same_pin_and_module(project: Project, name: str, version: str, module: str) -> None:
    def program(name, version, wanted):
        import envknit

        for door in (envknit.use, envknit.worker):
            with door(name, version) as given:
                assert (given.__name__, given.X) == (wanted, 1), (door, given)
        with envknit.use(name, version, isolation="worker") as given:
            assert (given.__name__, given.X) == (wanted, 1), given

    project.code(source_of(program, name=name, version=version, wanted=module))


@pytest.mark.parametrize("door", ["use", "worker"])
def test_use_and_worker_fail_alike(project: Project, door: str) -> None:
    def program(door):
        import envknit

        def error(*args, **options):
            try:
                getattr(envknit, door)(*args, **options)
            except (envknit.LinkError, TypeError) as error:
                return str(error)

        assert error("lib", "1.17").startswith("no installed environment holds lib 1.17"), error("lib", "1.17")
        assert error("lib", "1!1.16").startswith("no installed environment holds lib 1!1.16")
        assert error("lib", "1.16", env="old").startswith("'old' holds no lib 1.16")
        assert error("lib", "1.16", env="older").startswith("no environment named 'older' is installed")
        assert "the distribution is named jaraco-functools" in error("jaraco", "2.0")
        assert error("lib", 1.16) == "a version is a str such as '2.31.0', not 1.16"

    project.code(source_of(program, door=door))


@pytest.fixture(name="locks")
def _locks(machine: Machine) -> Project:
    """Two locks that both have a `default`, and a third that nobody configures; the program has none of its own."""
    project = machine.project()
    write_packages(machine.home, PACKAGES)
    for name, version in {"one": "1.16.0", "two": "1.16.1", "three": "1.16+1"}.items():
        write_plans(machine.home, project.root / name / "lock", {"default": {f"lib=={version}": ()}})
    project.write("task.py", TASK)
    return project


CONFIGURED = """
        import envknit, task
        for name in ("one", "two"): envknit.configure_from_lock(f"{name}/lock")
"""


def test_environments_of_one_name_in_two_locks_need_the_lock_to_be_said(locks: Project) -> None:
    def program(task):
        import envknit

        def error(call, *args):
            try:
                call(*args)
            except envknit.LinkError as error:
                return error

        for call in (envknit.use, envknit.in_env("default")(task.version)):
            found = error(call, *(["default"] if call is envknit.use else []))
            assert found.message == "several locks have an environment named 'default'", found
            assert "one/lock, " in found.locks and found.locks.endswith("two/lock")
        assert "several locks" in str(error(envknit.run_in, "default", task.version))
        assert "several locks" in str(error(envknit.submit, "default", task.version))
        assert "several locks" in str(error(envknit.EnvironmentExecutor, "default"))

    locks.code(source_of(CONFIGURED) + source_of(program))


def test_the_lock_can_be_said_wherever_the_environment_can(locks: Project) -> None:
    def program(task):
        import envknit

        for number, lock in enumerate(("one/lock", "two/lock", "three/lock"), 1):
            with envknit.use("default", lock=lock):
                assert task.version() == number
            assert envknit.run_in("default", task.version, lock=lock) == number
            assert envknit.submit("default", task.version, lock=lock).result() == number
            assert task.decorated[number - 1]() == number
            with envknit.EnvironmentExecutor("default", 1, lock=lock) as pool:
                assert pool.submit(task.version).result() == number
            version = ("1.16", "1.16.1", "1.16+1")[number - 1]
            assert envknit.import_version("lib", version, lock=lock).X == number
            with envknit.use("lib", version, lock=lock) as lib, envknit.worker("lib", version, lock=lock) as same:
                assert lib.X == same.X == number
            assert envknit.explain(lib).locks[0].endswith(lock), envknit.explain(lib)
        try:
            envknit.use("lib", "1.16.1", lock="one/lock")
        except envknit.LinkError as error:
            assert "environment holds lib 1.16.1" in str(error)
        else:
            raise SystemExit

    locks.code(source_of(CONFIGURED) + source_of(program))


def test_a_version_that_several_locks_hold_needs_no_lock(locks: Project) -> None:
    def program():
        import envknit

        for number, version in enumerate(("1.16", "1.16.1"), 1):
            with envknit.use("lib", version) as lib, envknit.worker("lib", version) as same:
                assert lib.X == same.X == number

    locks.code(source_of(CONFIGURED) + source_of(program))


def test_an_environment_that_only_the_store_lacks_is_not_denied(machine: Machine) -> None:
    project = machine.project(["alpha"], environments={"ml": ["beta"]}, more="indexes: [wheels]\n")
    for name in ("alpha", "beta"):
        file = project.root / "wheels" / wheel_name(name, "1.0")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(make_wheel(name, "1.0"))
    project.lock()
    project.install("--env", "default")

    def program():
        import envknit

        def error(env, call):
            try:
                call("envknit.lock.yaml", env)
            except envknit.EnvknitError as error:
                return error

        for call in (envknit.configure_from_lock, lambda *_: envknit.use("beta", "1.0", lock="envknit.lock.yaml")):
            found = error("ml", call)
            assert "beta" in str(found) and "install" in found.hint and "no environment" not in str(found), found
        found = error("none", envknit.configure_from_lock)
        assert "the lock holds no environment 'none'" in str(found) and found.environments == "default, ml", found

    project.code(program)
