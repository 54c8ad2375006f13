"""The hook's other door, for interpreters without envknit.pth: `envknit run` puts this folder on PYTHONPATH.

It starts envknit and then runs the `sitecustomize` that it hides.
"""

import _frozen_importlib as _bootstrap
import _frozen_importlib_external as _external
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))


def _start() -> None:
    if "_envknit_bootstrap" not in sys.modules:
        # beside this file in a checkout; in an installed envknit, two folders up
        for folder in (_here, os.path.dirname(os.path.dirname(_here))):
            path = os.path.join(folder, "_envknit_bootstrap.py")
            if os.path.exists(path):
                _bootstrap._load(_external.spec_from_file_location("_envknit_bootstrap", path))
                break
    sys.modules["_envknit_bootstrap"].start()


def _run_hidden() -> None:
    """Find and run the next `sitecustomize` on the path, under its own name."""
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]
    spec = _external.PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        del sys.modules["sitecustomize"]
        _bootstrap._load(spec)


_start()
_run_hidden()
