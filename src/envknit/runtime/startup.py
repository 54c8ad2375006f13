"""Run the start-up code of wheels, for the pins that the project names under `startup:`.

In site-packages every wheel's `.pth` runs at every start of Python; in the store none does unless it was asked for.
"""

from __future__ import annotations

import os
import sys

from envknit.runtime.activation import plan_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _envknit_activation import Activation


def run(activation: Activation) -> None:
    """Run what the plan lists, in its order; a failure is told on stderr and the rest goes on, as in `site`.

    Args:
        activation: the plan in use; its entry is on `sys.path` already.
    """
    for pin, file in plan_of(activation).startup:
        path = os.path.join(activation.store, file)
        try:
            _run_file(path)
        except Exception as error:  # noqa: BLE001 - a wheel's code must not stop Python (as in `site`)
            sys.stderr.write(f"envknit: start-up code of {pin} failed: {path}: {type(error).__name__}: {error}\n")


def _run_file(path: str) -> None:
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    if path.endswith(".py"):  # a sitecustomize or usercustomize
        exec(compile(text, path, "exec"), {"__name__": os.path.basename(path)[:-3], "__file__": path})  # noqa: S102 - as `site` runs it
        return
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if path.endswith(".start"):  # PEP 829: `package.module:callable`
            from pkgutil import resolve_name

            resolve_name(line)()
        elif line.startswith(("import ", "import\t")):
            exec(line)  # noqa: S102 - exactly what `site` does, and what the project asked for
