"""What `importlib.metadata` is for one world: the distributions that it holds, and nothing else."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints, PackageNotFoundError

from envknit.runtime.metadata import distributions_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.metadata import Distribution, PackageMetadata, PackagePath
    from typing import Any

    from envknit.plan import Pin, Plan


class WorldEntryPoint(EntryPoint):
    """An entry point that is loaded in its world."""

    def load(self) -> Any:
        """Import what it names, there."""
        found = vars(self)["import_module"](self.module)
        for part in filter(None, (self.attr or "").split(".")):
            found = getattr(found, part)
        return found


class WorldMetadata:
    """The functions of `importlib.metadata`, asked in a world.

    Args:
        held: the pins that it holds.
        import_module: imports a module there.
    """

    def __init__(self, held: Sequence[tuple[Plan, Pin]], import_module: Callable[[str], Any]) -> None:
        self._held = held
        self._import_module = import_module

    def distributions(self) -> list[Distribution]:
        """List all."""
        return distributions_of(self._held, None)

    def distribution(self, name: str) -> Distribution:
        """Return one.

        Raises:
            PackageNotFoundError: the world does not hold it.
        """
        for found in distributions_of(self._held, name):
            return found
        raise PackageNotFoundError(name)

    def version(self, name: str) -> str:
        """Return the version of a distribution."""
        return self.distribution(name).version

    def metadata(self, name: str) -> PackageMetadata:
        """Return what a distribution says of itself."""
        return self.distribution(name).metadata

    def requires(self, name: str) -> list[str] | None:
        """List what a distribution requires."""
        return self.distribution(name).requires

    def files(self, name: str) -> Iterable[PackagePath] | None:
        """List the files of a distribution."""
        return self.distribution(name).files

    def entry_points(self, **params: Any) -> EntryPoints:
        """List entry points; `load()` imports what they name in this world.

        Args:
            params: what to select by: `group`, `name`, ….
        """
        found = []
        for distribution in self.distributions():
            for point in distribution.entry_points:
                made = WorldEntryPoint(point.name, point.value, point.group)
                vars(made).update(dist=distribution, import_module=self._import_module)
                found.append(made)
        return EntryPoints(found).select(**params)
