"""Every exception of envknit.

    EnvknitError
    ├── ProjectError (ValueError)            the project file: the user's to mend
    ├── LockError (ValueError)               the lock file
    │   └── SchemaVersionError               a lock of a newer envknit
    ├── ResolutionError (ValueError)         no set of versions satisfies the requirements
    ├── PackageIndexError (OSError)          the index or the network
    ├── InstallError (OSError)               a download, a build or the disk
    │   ├── UnsafeWheelError                 a wheel that must not be unpacked
    │   └── StoreError                       the store: ownership, damage, a lost entry
    ├── PlanError (ValueError)               a plan that cannot be read
    ├── LinkError (ImportError)              an import that the lock cannot answer
    │   ├── UnlockedError (ModuleNotFoundError)  the importer was locked without it, or strict mode refuses it
    │   ├── CExtensionError                  a package with extension modules cannot be a guest
    │   └── CExtIncompatibleError            an extension module refuses this sub-interpreter
    ├── WorkerError (RuntimeError)           a worker: start, death, or a remote fault
    └── UnsupportedPlatformError (RuntimeError)  this interpreter lacks what the call needs

Each says what happened, its facts (where), and a hint (what to do). The second base is the builtin that a
caller would expect to catch.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class EnvknitError(Exception):
    """The base of all errors; `message`, `hint` and every fact are attributes.

    Args:
        message: what happened, one sentence without a full stop.
        hint: what to do about it; a command where there is one.
        facts: where it happened, printed one a line under the message.
    """

    def __init__(self, message: str, /, *, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts
        for name, fact in facts.items():
            if hasattr(
                type(self), name
            ):  # ImportError and OSError have slots, `name`, `path`, `filename`: None if unset
                setattr(self, name, fact)

    def __getattr__(self, name: str) -> object:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"  {name.replace('_', ' ')}: {fact}" for name, fact in self.facts.items()]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Callable[..., EnvknitError], tuple[object, ...]]:
        return _again, (type(self), self.message, self.hint, self.facts)


def _again(kind: type[EnvknitError], message: str, hint: str, facts: dict[str, object]) -> EnvknitError:
    return kind(message, hint=hint, **facts)


class ProjectError(EnvknitError, ValueError):
    """The project file is missing, unreadable or says something that cannot be."""


class LockError(EnvknitError, ValueError):
    """The lock file is unreadable, damaged, or does not say what was asked of it."""


class SchemaVersionError(LockError):
    """The lock was written by an envknit with a larger major schema version."""


class ResolutionError(EnvknitError, ValueError):
    """No set of versions satisfies the requirements; the message explains why in sentences."""


class PackageIndexError(EnvknitError, OSError):
    """A package index could not be asked, or its answer could not be used."""


class InstallError(EnvknitError, OSError):
    """A pin could not be downloaded, built, verified or placed."""


class UnsafeWheelError(InstallError):
    """A wheel breaks a rule that keeps the store safe; nothing of it was placed."""


class StoreError(InstallError):
    """The store is not the user's own, is damaged, or lost an entry."""


class PlanError(EnvknitError, ValueError):
    """A plan cannot be read; `envknit install` writes it anew."""


class LinkError(EnvknitError, ImportError):
    """An import asked for something that the lock cannot give."""


class UnlockedError(LinkError, ModuleNotFoundError):
    """The importer was not locked with what it asks for, though it is somewhere on this machine."""


class CExtensionError(LinkError):
    """A package with extension modules cannot be a guest; a worker can hold it."""


class CExtIncompatibleError(LinkError):
    """An extension module cannot be loaded in this sub-interpreter."""


class WorkerError(EnvknitError, RuntimeError):
    """A worker could not start, died, or raised an exception that has no builtin type here."""


class UnsupportedPlatformError(EnvknitError, RuntimeError):
    """This interpreter or platform lacks what the call needs."""
