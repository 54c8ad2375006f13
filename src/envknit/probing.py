"""Probes: scripts that import a package in a child process, which may crash; that is the point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SECONDS = 120.0  # large packages on slow disks take a while, and some are imported twice


def run_probe(script: str, order: Mapping[str, Any], store: str, *options: str) -> tuple[str, str]:
    """Run the script of a probe in a child process.

    Args:
        script: its path.
        order: what it is to do; it gets that as JSON, its one argument.
        store: of the packages.
        options: more of Python's own.

    Returns:
        What it printed, and how it died; `""`: it did not.

    Cost: a start of Python and the imports; two minutes at most.
    """
    # No site (-S): with the hook of this environment the child would have a lock of its own before it is told one. No
    # bytecode (-B): the entries of the store are read-only. stderr is kept for what the C library says when it aborts
    command = [sys.executable, "-s", "-S", "-B", *options, script, json.dumps(order)]
    environ = {each: os.environ[each] for each in os.environ if each != "PYTHONPATH"} | {"ENVKNIT_HOME": store}
    try:
        done = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "", f"a probe of it took more than {SECONDS:.0f} s"
    return done.stdout.decode(errors="replace").strip(), _death(done)


def _death(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode == 0:
        return ""
    words = done.stderr.decode(errors="replace").strip().splitlines()[:1]
    known = -done.returncode in set(signal.Signals)  # subprocess gives -N for a process that signal N ended
    how = signal.Signals(-done.returncode).name if known else f"status {done.returncode}"
    return f"the probe's process died of {how}" + (f" ({words[0]})" if words else "")
