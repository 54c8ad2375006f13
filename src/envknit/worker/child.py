"""The script that a worker runs: forget the host, find envknit, then serve.

The host's main module is never run here, so hosts need no `if __name__ == "__main__"`.
"""

import os
import sys
from _frozen_importlib import _load  # type: ignore[attr-defined] # not in typeshed
from _frozen_importlib_external import spec_from_file_location


def main() -> None:
    """Take descriptors and folders from the command line; see `process.start`."""
    descriptors = [int(number) for number in sys.argv[1].split(",")]
    folders = sys.argv[2:]
    sys.argv[:] = [""]
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    forget = os.path.join(package, "interpreter", "forget.py")
    site_packages = _load(spec_from_file_location("_envknit_forget", forget)).forget_host(())
    del sys.modules["_envknit_forget"]
    sys.path[:0] = folders
    from _envknit_bootstrap import MODULES, beside

    for name in MODULES:  # all of the hook: its folder is on sys.path only now
        beside(name)
    from envknit.worker.serve import serve

    del sys.path[: len(folders)]
    serve(*descriptors, site_packages=site_packages)


if __name__ == "__main__":
    main()
