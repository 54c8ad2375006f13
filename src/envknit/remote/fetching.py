"""Objects by value: pickles that may be made of named packages only.

A worker keeps versions apart; it is no sandbox. Still, what comes out of it must not choose which code runs here: a
pickle is a program that calls whatever it can name (Lib/pickle.py: `Unpickler.find_class`). So the host says which
packages may be named, and the worker is not asked.
"""

from __future__ import annotations

import io
import pickle
import sys
from importlib import import_module

from envknit.errors import WorkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

_PLAIN = {
    "builtins": {"bytearray", "complex", "frozenset", "list", "object", "range", "set", "slice", "dict", "tuple"},
    "collections": {"Counter", "OrderedDict", "defaultdict", "deque"},
    "copyreg": {"_reconstructor"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "pathlib": {"Path", "PosixPath", "PurePath", "PurePosixPath"},
    "uuid": {"UUID", "SafeUUID"},
    "_codecs": {"encode"},
    "array": {"array", "_array_reconstructor"},
}


# What pickles of arrays, and of what holds arrays, are made of; other functions of numpy run text that they are given
_NUMPY = {
    *(f"numpy.{name}" for name in ("dtype", "ndarray")),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")),
}


_NEVER = {"builtins", "os", "posix", "subprocess", "sys"}  # whoever asked for these: they run what they are given


class _Loader(pickle.Unpickler):
    def __init__(self, data: bytes, trusted: Collection[str]) -> None:
        super().__init__(io.BytesIO(data))
        self._trusted = set(trusted) - _NEVER

    def find_class(self, module: str, name: str) -> Any:
        if name in _PLAIN.get(module, ()) or f"{module}.{name}" in _NUMPY:
            return super().find_class(module, name)
        if module.partition(".")[0] in self._trusted:
            found: Any = import_module(module)  # as pickle does; its code is trusted
            for part in name.split("."):
                # A dotted name may go into classes, not out through the modules that a module has imported
                if found is not sys.modules[module] and not isinstance(found, type):
                    break
                found = getattr(found, part)
            else:
                # Nor may it be something that the module took from elsewhere: `from os import system`
                if str(getattr(found, "__module__", "")).partition(".")[0] in self._trusted:
                    return found
        raise WorkerError(
            "an object that was to be fetched is made of what is not trusted",
            needs=f"{module}.{name}",
            hint=f'if that is expected: envknit.fetch(proxy, trust=["{module.partition(".")[0]}", ...])',
        )


def load(data: bytes, trusted: Collection[str]) -> Any:
    """Make an object of a pickle.

    Raises:
        WorkerError: it needs what is not trusted or not importable here, or fails.
    """
    try:
        return _Loader(data, trusted).load()
    except WorkerError:
        raise
    except Exception as error:
        raise WorkerError(
            "an object that was to be fetched cannot be made here",
            reason=f"{type(error).__name__}: {error}",
            hint="its classes must be importable in this process too; else work on the proxy",
        ) from error
