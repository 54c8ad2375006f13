"""What a file of another tool says, in the words that envknit has for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envknit.errors import ProjectError
from envknit.files.plain_toml import loads_toml
from envknit.naming import canonical_name
from envknit.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST_BYTES = 64 * 1024 * 1024  # of one file; uv.lock of a large workspace has a few
_MOST = 10_000  # requirements of a group, or notes
MAIN, DEV = "", "dev"


@dataclass(kw_only=True, slots=True)
class Foreign:
    """What was read from one or more files of another tool.

    Args:
        origin: the file that was named, for messages.
        requirements: group to PEP 508 texts; `""` is what the project needs, others are dependency groups.
        constraints: PEP 508 texts that limit versions without asking for anything.
        pins: canonical name to the versions that its lock holds.
        hashes: (canonical name, version) to the sha256 digests that its lock holds, lower-case hexadecimal.
        python: which Pythons the project is for, a specifier; `""`: it does not say.
        indexes: index URLs and folders, in order.
        notes: what cannot be kept, one sentence each.
    """

    origin: Path
    requirements: dict[str, list[str]] = field(default_factory=dict)
    constraints: list[str] = field(default_factory=list)
    pins: dict[str, set[str]] = field(default_factory=dict)
    hashes: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    python: str = ""
    indexes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ask(self, text: str, group: str = MAIN) -> None:
        """Add a requirement to a group, once."""
        self._add(self.requirements.setdefault(group, []), text)

    def pin(self, name: str, version: str, hashes: Iterable[str] = ()) -> None:
        """Add a pin; of hashes, `sha256:…` is kept and any other algorithm is told."""
        name = canonical_name(name)
        self.pins.setdefault(name, set()).add(version)
        for text in hashes:
            algorithm, _, digest = text.rpartition(":")
            if algorithm in {"", "sha256"}:
                self.hashes.setdefault((name, version), set()).add(digest.lower())
            else:
                self.note(f"{name} {version}: a {algorithm} hash is not kept, since a lock holds sha256 only")

    def note(self, text: str) -> None:
        """Tell what cannot be kept, once."""
        self._add(self.notes, text)

    def _add(self, texts: list[str], text: str) -> None:
        if len(texts) == _MOST:
            raise ProjectError(f"the file says more than {_MOST} things", file=self.origin)
        if text not in texts:
            texts.append(text)

    def join(self, other: Foreign) -> None:
        """Add what a second file says, as of a project beside its lock."""
        for group, texts in other.requirements.items():
            for text in texts:
                self.ask(text, group)
        self.constraints = list(dict.fromkeys([*self.constraints, *other.constraints]))
        for name, versions in other.pins.items():
            self.pins.setdefault(name, set()).update(versions)
        for key, digests in other.hashes.items():
            self.hashes.setdefault(key, set()).update(digests)
        self.python = self.python or other.python
        self.indexes = list(dict.fromkeys([*self.indexes, *other.indexes]))
        for text in other.notes:
            self.note(text)


def read_text(path: Path) -> str:
    """Read a file of another tool; ProjectError where it is missing, too large, or not UTF-8."""
    try:
        data = read_regular(path)
        if len(data) > MOST_BYTES:
            raise ProjectError("the file is too large to be read", file=path, bytes=f"more than {MOST_BYTES}")
        return data.decode("utf-8-sig")
    except OSError as cause:
        raise ProjectError(f"the file cannot be read: {cause.strerror}", file=path) from cause
    except UnicodeDecodeError as cause:
        raise ProjectError("the file is not UTF-8", file=path) from cause


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; ProjectError where it is none."""
    text = read_text(path)
    try:
        return loads_toml(text)
    except ValueError as cause:
        raise ProjectError(f"the file is not TOML: {cause}", file=path) from cause


def damaged(path: Path, cause: Exception) -> ProjectError:
    """Make the error for a file whose parts are not where its format has them."""
    return ProjectError(f"the file is not as its format says: {type(cause).__name__}: {cause}", file=path)
