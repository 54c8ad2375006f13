"""The child process that asks a build backend for metadata: `python -m envknit.index.build_metadata SOURCE OUT`."""

from __future__ import annotations

import sys


def main(source: str, out: str) -> None:
    """Write the `.dist-info` folder of the project in `source` into `out` (PEP 517), in an environment of its own."""
    from build import BuildBackendException, BuildException, FailedProcessError, ProjectBuilder  # noqa: PLC0415 - this process is all about it
    from build.env import DefaultIsolatedEnv  # noqa: PLC0415 - as above

    try:
        with DefaultIsolatedEnv() as environment:
            builder = ProjectBuilder.from_isolated_env(environment, source)
            environment.install(builder.build_system_requires)
            environment.install(builder.get_requires_for_build("wheel"))
            builder.metadata_path(out)
    except (BuildException, BuildBackendException, FailedProcessError) as cause:
        sys.exit(str(cause))  # the backend has printed why; our own traceback would hide it


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
