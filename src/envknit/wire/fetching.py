"""Objects by value: pickles that may be made of named packages only.

A worker keeps versions apart; it is no sandbox. Still, what comes out of it must not choose which code runs here.
"""

from __future__ import annotations

import io
import pickle

from envknit.errors import WorkerError

TYPE_CHECKING = False
if TYPE_CHECKING:
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


class _Loader(pickle.Unpickler):
    def __init__(self, data: bytes, trusted: set[str]) -> None:
        super().__init__(io.BytesIO(data))
        self._trusted = trusted

    def find_class(self, module: str, name: str) -> Any:
        # a dotted name would walk out of the module that was allowed
        plain = "." not in name and name in _PLAIN.get(module, ())
        if plain or module.partition(".")[0] in self._trusted - {"builtins", "os", "posix", "sys", "subprocess"}:
            return super().find_class(module, name)
        raise WorkerError(
            "an object that was to be fetched is made of what is not trusted",
            needs=f"{module}.{name}",
            hint=f'if that is expected: envknit.fetch(proxy, trust=["{module.partition(".")[0]}", ...])',
        )


def load(data: bytes, trusted: set[str]) -> Any:
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
