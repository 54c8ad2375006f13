"""The child process that runs a build backend: `python -m envknit.index.build_child metadata|wheel KIND SOURCE OUT`."""

from __future__ import annotations

import logging
import sys
from subprocess import CalledProcessError
from typing import Literal

from build import BuildBackendException, BuildException, FailedProcessError, ProjectBuilder
from build.env import DefaultIsolatedEnv


def main(wanted: str, kind: str, source: str, out: str) -> None:
    """Build the project in `source` in an environment of its own (PEP 517, PEP 660).

    Args:
        wanted: `wheel`, or `metadata` alone.
        kind: `wheel` or `editable`.
        source: the project's folder.
        out: where the wheel goes, or the `.dist-info` folder.
    """
    distribution: Literal["wheel", "editable"] = "editable" if kind == "editable" else "wheel"
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)  # what pip says, where it fails
    try:
        with DefaultIsolatedEnv() as environment:
            builder = ProjectBuilder.from_isolated_env(environment, source)
            environment.install(builder.build_system_requires)
            environment.install(builder.get_requires_for_build(distribution))
            if wanted == "wheel":
                builder.build(distribution, out)
            elif not builder.prepare(distribution, out):
                builder.metadata_path(out)
    except (BuildException, BuildBackendException, FailedProcessError, CalledProcessError) as cause:
        sys.exit(str(cause))  # the backend or pip has printed why; our own traceback would hide it


if __name__ == "__main__":
    main(*sys.argv[1:])
