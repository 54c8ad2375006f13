"""Which groups and extras an install takes, beside what the project always needs."""

from __future__ import annotations

from envknit.errors import LockError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envknit.files.model import Environment, Lock


class Selection:
    """What was asked for on the command line; `str()` writes it so, and a plan holds that text.

    Args:
        extras: extras of the project; `*`: all.
        groups: groups beside the default ones; `*`: all.
        without: groups to leave out.
        only: groups to take alone, without the project and what it needs.
    """

    __slots__ = ("extras", "groups", "only", "without")

    def __init__(
        self,
        *,
        extras: Sequence[str] = (),
        groups: Sequence[str] = (),
        without: Sequence[str] = (),
        only: Sequence[str] = (),
    ) -> None:
        self.extras = extras
        self.groups = groups
        self.without = without
        self.only = only

    def __str__(self) -> str:
        options = (
            ("extra", self.extras),
            ("group", self.groups),
            ("no-group", self.without),
            ("only-group", self.only),
        )
        words = [
            f"--all-{option}s" if name == "*" else f"--{option} {name}"
            for option, names in options
            for name in sorted(set(names))
        ]
        return " ".join(words)

    @classmethod
    def read(cls, text: str) -> Selection:
        """Read the options that `str()` wrote."""
        found: dict[str, list[str]] = {"extra": [], "group": [], "no-group": [], "only-group": []}
        words = iter(text.split())
        for word in words:
            option = word.removeprefix("--")
            if option in found:
                found[option].append(next(words, ""))
            else:
                found[option.removeprefix("all-").removesuffix("s")].append("*")
        return cls(extras=found["extra"], groups=found["group"], without=found["no-group"], only=found["only-group"])

    def without_group(self, name: str) -> Selection:
        """Return the same without one group."""
        without = sorted({*self.without, name})
        return Selection(extras=self.extras, groups=self.groups, without=without, only=self.only)

    def check(self, lock: Lock, environments: Iterable[Environment], path: str) -> None:
        """Raise LockError for a group or extra that none of the environments has, or that could not be locked."""
        environments = list(environments)
        for kind, names in (("group", (*self.groups, *self.without, *self.only)), ("extra", self.extras)):
            known = {name for one in environments for name in (one.groups if kind == "group" else one.extras)}
            known |= set(lock.default_groups) if kind == "group" else set()
            for name in sorted(set(names) - known - {"*"}):
                there = ", ".join(sorted(known)) or "none"
                raise LockError(f"the lock has no {kind} {name!r}", lock=path, **{f"{kind}s": there})

    def chosen(self, environment: Environment, default_groups: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Return the groups and the extras that are taken of an environment.

        Raises:
            LockError: one of them could not be locked.
        """
        wanted = {*default_groups, *self.groups}
        groups = set(environment.groups) if "*" in wanted else wanted
        groups, extras = groups - set(self.without), set(self.extras)
        if "*" in self.extras:
            extras = set(environment.extras)
        if self.only:
            groups, extras = set(self.only), set()
        asked = {*(f"group {name}" for name in groups), *(f"extra {name}" for name in extras)}
        for label in sorted(asked.intersection(environment.unlocked)):
            raise LockError(
                f"{label} could not be locked with the rest",
                environment=environment.name,
                hint="`envknit lock` says why" + (f"; to do without it: --no-{label}" if label[0] == "g" else ""),
            )
        return frozenset(groups), frozenset(extras)


USUAL = Selection()  # the project and its default groups
