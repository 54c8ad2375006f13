"""Flow 5: outside the user's program. Standard library only.

`envknit.worker` is this package and the public function at once: calling it calls `envknit.worker.api.worker`.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from envknit.worker.api import WorkerContext


class _CallableModule(ModuleType):
    def __call__(
        self,
        name: str,
        version: str,
        *,
        timeout: float | None = 30.0,
        install_path: str | os.PathLike[str] | None = None,
        env: str | None = None,
        lock: str | os.PathLike[str] | None = None,
        python: str | None = None,
        module: str | None = None,
    ) -> WorkerContext:
        """Open a package of any version in a process of its own; see `envknit.worker.api.worker`."""
        from envknit.worker import api  # noqa: PLC0415 - on first use

        return api.worker(
            name, version, timeout=timeout, install_path=install_path, env=env, lock=lock, python=python, module=module
        )


worker = sys.modules[__name__]  # what `envknit.worker` is, whoever loads it first
worker.__class__ = _CallableModule
