"""A value read from a file, and where it stood: every complaint names the file and the path to the bad value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from envknit.errors import EnvknitError


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One value of a file: plain data, its path (`environments.default.packages[2]`) and whose file it is.

    Args:
        data: nested dicts, lists and strings (YAML), or what a TOML reader gave.
        at: the path to it; `""` is the whole file.
        file: the file, for messages.
        error: the error class of that file; its fact `at` is the path.
        kind: what the file is, and the name of the fact that holds `file`: `lock` or `project`.
    """

    data: Any
    file: str
    error: type[EnvknitError]
    kind: str
    at: str = ""

    def bad(self, message: str, *, hint: str = "") -> EnvknitError:
        """Make the error that says what is wrong with this value."""
        facts = {self.kind: self.file} | ({"at": self.at} if self.at else {})
        return self.error(message, hint=hint, **facts)

    def field(self, key: str) -> Value:
        """Look up one key of a mapping; a missing one is an error."""
        found = self.optional(key)
        if found is None:
            raise self.bad(f"`{key}` is missing")
        return found

    def optional(self, key: str) -> Value | None:
        """Look up one key of a mapping; None where it is missing. Cheaper than `fields` where one is wanted of many."""
        if not isinstance(self.data, dict):
            self.fields()
            return None
        return self._child(self.data[key], key) if key in self.data else None

    def fields(self, known: Collection[str] | None = None) -> dict[str, Value]:
        """Read a mapping; with `known`, any other key is an error that suggests the nearest."""
        if self.data in ("", None):
            return {}
        if not isinstance(self.data, dict):
            raise self.bad("a mapping was expected")
        found = {key: self._child(child, key) for key, child in self.data.items()}
        for key, child in found.items():
            if known is not None and key not in known:
                import difflib  # most files are right

                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known are: {', '.join(sorted(known))}"
                raise child.bad(f"`{key}` is not a setting", hint=hint)
        return found

    def items(self) -> Iterator[Value]:
        """Read a list; a key without a value is an empty one."""
        if self.data in ("", None):
            return
        if not isinstance(self.data, list):
            raise self.bad("a list was expected")
        for position, child in enumerate(self.data):
            yield Value(data=child, file=self.file, error=self.error, kind=self.kind, at=f"{self.at}[{position}]")

    def text(self) -> str:
        """Read a string."""
        if not isinstance(self.data, str):
            raise self.bad(
                "a text was expected", hint="put it in quotes" if isinstance(self.data, (int, float)) else ""
            )
        return self.data

    def flag(self) -> bool:
        """Read `true` or `false`."""
        flag = {"true": True, "false": False, True: True, False: False}.get(
            self.data if isinstance(self.data, (str, bool)) else ""
        )
        if flag is None:
            raise self.bad("`true` or `false` was expected")
        return flag

    def like(self, data: object) -> Value:
        """Return another value that stands in the same place."""
        return Value(data=data, file=self.file, error=self.error, kind=self.kind, at=self.at)

    def _child(self, data: object, key: str) -> Value:
        at = f"{self.at}.{key}" if self.at else key
        return Value(data=data, file=self.file, error=self.error, kind=self.kind, at=at)
