"""Other interpreters: where they are, and which plans were installed for them from this very lock."""

from __future__ import annotations

import os

from envknit.errors import WorkerError
from envknit.plan import Plan, current_plans

_ASK = "import _imp, sys; print(sys.implementation.cache_tag, _imp.extension_suffixes()[0].split('.')[1])"
_abis: dict[str, str] = {}


def find_python(wanted: str) -> str:
    """Find an interpreter.

    Args:
        wanted: `3.10`, or a path.

    Raises:
        WorkerError: there is none.
    """
    for path in [wanted] if os.sep in wanted else _candidates(wanted):
        if os.path.isfile(path) and os.access(path, os.X_OK) and abi_of(path):
            return path
    raise WorkerError(
        f"no interpreter {wanted} was found",
        searched="PATH and ~/.pyenv/versions",
        hint="install it, or give the path: python=/path/to/python",
    )


def abi_of(python: str) -> str:
    """Ask an interpreter for its ABI, once; `""`: it does not run."""
    if python not in _abis:
        import subprocess  # noqa: PLC0415 - only where another interpreter was asked for

        try:
            done = subprocess.run(
                [python, "-I", "-S", "-c", _ASK], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        words = done.stdout.split()
        _abis[python] = words[1] if len(words) == 2 else ""
    return _abis[python]


def plans_for(plan_path: str, python: str) -> list[tuple[str, Plan]]:
    """Return (plan file, plan) of what was installed for another interpreter from the same lock.

    Args:
        plan_path: a plan of this interpreter: `<store>/plans/2/<abi>/<key>/views/<view>/plan`.
        python: path of the other interpreter.

    Raises:
        WorkerError: nothing was installed for it.
    """
    plans, _, key = plan_path.rsplit(os.sep, 3)[0].rsplit(os.sep, 2)
    found = current_plans(os.path.join(plans, abi_of(python), key))
    if not found:
        raise WorkerError(
            "the lock is not installed for this interpreter",
            python=python,
            abi=abi_of(python),
            hint=f"run: {python} -m envknit install",
        )
    own = Plan.read(plan_path).environment
    names = sorted(found, key=lambda name: name != own)  # the active environment first
    return [(found[name], Plan.read(found[name])) for name in names]


def _candidates(version: str) -> list[str]:
    found = [os.path.join(folder, f"python{version}") for folder in os.environ.get("PATH", "").split(os.pathsep)]
    versions = os.path.expanduser(os.path.join(os.environ.get("PYENV_ROOT", "~/.pyenv"), "versions"))
    if os.path.isdir(versions):
        matching = [name for name in os.listdir(versions) if name == version or name.startswith(version + ".")]
        found += [os.path.join(versions, name, "bin", f"python{version}") for name in sorted(matching)]
    return found
