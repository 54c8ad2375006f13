"""The copy of envknit that views start with."""

from __future__ import annotations

from pathlib import Path

from envknit.plan import runtime_folder
from envknit.view.runtime import make_runtime


def test_what_pytest_compiled_for_itself_stays_out(tmp_path: Path) -> None:
    cache = Path(runtime_folder(), "envknit", "__pycache__")
    cache.mkdir(exist_ok=True)
    compiled = cache / "nothing.cpython-300-pytest-0.0.pyc"
    compiled.touch()
    try:
        make_runtime(tmp_path / "runtime")
    finally:
        compiled.unlink()

    assert (tmp_path / "runtime" / "envknit" / "plan.py").is_file()
    assert [] == [*tmp_path.rglob("*-pytest-*")]
