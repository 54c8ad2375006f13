"""`python -m envknit.install.from_store LOCK [ENVIRONMENT]`: the program side's way to a plan it does not have.

`envknit.configure_from_lock` runs this in a child process, since a program never loads the tool side. Nothing is
downloaded: what is not in the store is an error. A failure is told on stdout, as one line of JSON.
"""

from __future__ import annotations

import sys

# `-m` puts the working folder first: a project's own `packaging/` or `yaml.py` must not become the tool's
if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

import json

from envknit.errors import EnvknitError
from envknit.install.flow import install


def main(lock: str, *environments: str) -> int:
    """Write the plans of a lock from what the store holds.

    Args:
        lock: absolute path of the lock.
        environments: which; all that are for this interpreter by default.
    """
    try:
        install(lock, None, environments=environments or None, offline=True)
    except EnvknitError as error:
        facts = {name: str(fact) for name, fact in error.facts.items()}
        told = {"kind": type(error).__name__, "message": error.message, "hint": error.hint, "facts": facts}
        sys.stdout.write(json.dumps(told))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
