"""Tell `pkg_resources`, where a lock still has it, which distributions the active plan holds.

It knows folders and zip files only, and takes its picture of `sys.path` while it is being imported; setuptools 82 and
later come without it.
"""

from __future__ import annotations

import os

from envknit.runtime.distributions import residents
from envknit.runtime.finder import LockFinder, StoreLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any

    from _envknit_bootstrap import Activation


class PkgResourcesLoader(StoreLoader):
    """Load `pkg_resources`, and then teach it the lock's entry.

    Args:
        plain: the loader that the store gives.
        activation: the plan in use.
    """

    def __init__(self, plain: StoreLoader, activation: Activation) -> None:
        super().__init__(plain.name, plain.path, plain.store)
        self.activation = activation

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then add the pins to the working set it has made."""
        super().exec_module(module)
        api: Any = module

        def find(_finder: object, _entry: str, _only: bool = False) -> Iterator[object]:  # noqa: FBT001, FBT002 - its protocol
            for pin in residents(self.activation):
                folder = os.path.join(self.activation.store, pin.folder)
                info = os.path.join(folder, pin.dist_info)
                metadata = api.PathMetadata(folder, info)
                yield api.Distribution.from_location(folder, pin.dist_info, metadata, precedence=api.DEVELOP_DIST)

        api.register_finder(LockFinder, find)
        working_set = api.working_set
        if self.activation.lock in working_set.entries:  # seen, and found empty, while pkg_resources was imported
            working_set.entries.remove(self.activation.lock)
        working_set.add_entry(self.activation.lock)
