"""What pytest finds as its plugin `envknit`: the option and the mark; `pytest_worlds` does what they say.

pytest alone loads this module, in every project whose interpreter has envknit: so it must do with any pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import Any

_OLDEST = 8  # hooks that wrap others, and nodes that are made of a path


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    parser.getgroup("envknit").addoption(
        "--envknit-matrix",
        action="append",
        default=[],
        metavar="NAME=VERSION,VERSION",
        help="run every test once for each of these versions of a package, as locked; may be repeated",
    )


def pytest_configure(config: Any) -> None:
    """Make the mark known, and what it does."""
    config.addinivalue_line(
        "markers", "envknit(NAME=[VERSION, ...]): run the test once for each of these versions, as locked"
    )
    if int(pytest.__version__.partition(".")[0]) >= _OLDEST:
        from envknit import pytest_worlds  # an older pytest could not load it

        config.pluginmanager.register(pytest_worlds, "envknit-worlds")
    elif config.getoption("--envknit-matrix"):
        raise pytest.UsageError(f"--envknit-matrix needs pytest 8; this is {pytest.__version__}")
