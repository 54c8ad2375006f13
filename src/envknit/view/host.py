"""The interpreter that a view is made for: the one that runs this, or that of another machine, which nobody starts."""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple

from envknit.plan import ABI, SITE_PACKAGES


class Host(NamedTuple):
    """Where an interpreter lies and which version it is.

    Args:
        program: absolute path of what a virtual environment of it links to.
        version: `3.13.2`.
        here: whether it is the interpreter that runs this.
    """

    program: str
    version: str
    here: bool = False

    @property
    def minor(self) -> str:
        """`3.13`, as programs and folders are called."""
        return ".".join(self.version.split(".")[:2])


def this_host() -> Host:
    """Return the interpreter that runs this."""
    base: str = getattr(sys, "_base_executable", None) or sys.executable
    # `home` of a pyvenv.cfg must lie below the prefix (Modules/getpath.py): a link from elsewhere is resolved
    program = base if os.path.dirname(os.path.dirname(base)) == sys.base_prefix else os.path.realpath(base)
    return Host(program, ".".join(map(str, sys.version_info[:3])), here=True)


def site_packages_of(abi: str) -> str:
    """Name the folder of packages in a view for this ABI (`cpython-313t-aarch64-linux-gnu`), relative to the view."""
    found = re.match(r"cpython-3(\d+)(t?)", abi)
    return SITE_PACKAGES if abi == ABI or found is None else f"lib/python3.{found[1]}{found[2]}/site-packages"
