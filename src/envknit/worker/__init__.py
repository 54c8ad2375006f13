"""Workers: packages and environments in processes of their own. Standard library only.

`envknit.worker` is this package, which the import system puts there when it is loaded, and the public function: calling
the package calls `envknit.worker.api.worker`.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _WorkerPackage(ModuleType):
    """A module that can be called, as "Customizing module attribute access" of the language reference allows."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Open a package of any version in a process of its own; see `envknit.worker.api.worker`."""
        return self._function()(*args, **options)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(self._function())

    def _function(self) -> Any:
        from envknit.worker.api import worker

        return worker


worker = sys.modules[__name__]  # what `envknit.worker` is, whoever loads it first
worker.__class__ = _WorkerPackage
