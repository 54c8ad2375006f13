"""What every error carries."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from envknit import errors


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (errors.LinkError, {"name": "lib", "path": "/lib.py"}),
        (errors.CExtensionError, {"name": "numpy"}),
        (errors.CExtIncompatibleError, {"name": "numpy", "path": "/numpy/core.so"}),
        (errors.UnlockedError, {"name": "lib"}),
        (errors.InstallError, {"filename": "x.whl"}),
        (errors.PackageIndexError, {"errno": 5, "url": "https://index"}),
        (errors.WorkerError, {"pid": 7}),
    ],
)
def test_every_fact_is_an_attribute_even_where_a_builtin_has_one_of_that_name(
    kind: type[errors.EnvknitError], facts: dict[str, object]
) -> None:
    for error in (kind("what", hint="do", **facts), pickle.loads(pickle.dumps(kind("what", hint="do", **facts)))):
        assert {name: getattr(error, name) for name in facts} == facts
        assert str(error).startswith("what\n  ")
        assert str(error).endswith("hint: do")


def test_public_modules_are_attributes_of_the_package() -> None:
    for path in ("isolation.import_hook.CExtensionError", "isolation.use", "errors.LockError"):
        subprocess.run([sys.executable, "-c", f"import envknit; envknit.{path}"], check=True, env={"ENVKNIT": "0"})
