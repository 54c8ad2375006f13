"""What a person sees: results on stdout; progress, warnings and errors on stderr."""

from __future__ import annotations

import functools
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from envknit.reporter import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Concatenate, ParamSpec

    from envknit.errors import EnvknitError

    _P = ParamSpec("_P")

_T = TypeVar("_T")

_WORTH_A_LINE = 10_000  # bytes of a download; the steps of a search are fewer
_IN_ASCII = str.maketrans("└├─│", "`|-|")  # what trees are drawn with
RED, YELLOW, CYAN, GREEN = "1;31", "1;33", "36", "32"


def _one_at_a_time(method: Callable[Concatenate[Screen, _P], _T]) -> Callable[Concatenate[Screen, _P], _T]:
    """Let one thread in: downloads and what is fetched ahead report from threads of their own."""

    @functools.wraps(method)
    def call(self: Screen, /, *args: _P.args, **options: _P.kwargs) -> _T:
        with self.guard:
            return method(self, *args, **options)

    return call


class Screen(Reporter):
    """Prints for one command; a progress bar where stderr is a terminal, plain lines elsewhere.

    Args:
        quiet: print only what was asked for, warnings and errors.
        verbose: print the traceback of an error too.
        repeated: options that every command in a hint must repeat to mean the same: `-C`, `--python`.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, repeated: Sequence[str] = ()) -> None:
        self.guard = threading.RLock()
        self.repeated = repeated
        self.quiet = quiet
        self.verbose = verbose
        dumb = os.environ.get("TERM") == "dumb"
        plain = dumb or bool(os.environ.get("NO_COLOR"))
        self.live = sys.stderr.isatty() and not dumb and not quiet
        self._coloured_out = sys.stdout.isatty() and not plain
        self._coloured_err = sys.stderr.isatty() and not plain
        self._progress: Any = None
        self._tasks: dict[str, Any] = {}
        self._amounts: dict[str, tuple[int, int | None]] = {}  # done, and all of it where that is known
        self._steps = (0, 0)  # done and all of the stage; 0 of 0 where nobody knows

    def paint(self, text: str, colour: str) -> str:
        """Colour a text for `show`, where stdout is a terminal that may have colours."""
        return _painted(text, colour) if self._coloured_out else text

    @_one_at_a_time
    def show(self, text: str) -> None:
        """Print what was asked for."""
        self.close()
        try:
            sys.stdout.write(f"{text}\n")
        except UnicodeEncodeError:  # in a locale such as C, where Python was told to use it
            encoding = sys.stdout.encoding
            plain = text.translate(_IN_ASCII).encode(encoding, "backslashreplace").decode(encoding)
            sys.stdout.write(f"{plain}\n")
        sys.stdout.flush()  # in order with stderr, where both go to one log

    def command(self, text: str) -> str:
        """Add the options that were given to each `envknit` command in a text, so that it can be run as it stands."""
        options = [option for option in self.repeated if f" {option.partition(' ')[0]} " not in text]
        words = [" ".join([word, *options]) if word.strip("`") == "envknit" else word for word in text.split(" ")]
        return " ".join(words)

    def say(self, text: str) -> None:
        """Print what was done; `--quiet` keeps it back."""
        if not self.quiet:
            self.show(text)

    def data(self, value: object) -> None:
        """Print a value as JSON."""
        import json  # most commands print none

        self.show(json.dumps(value, indent=2, default=str))

    @_one_at_a_time
    def warn(self, text: str) -> None:
        """Print a warning."""
        self.close()
        sys.stderr.write(f"{self._colour('warning:', YELLOW)} {_plain(text)}\n")

    @_one_at_a_time
    def fail(self, error: EnvknitError) -> None:
        """Print an error: what happened, where, what to do; with `--verbose` the traceback before it."""
        self.close()
        if self.verbose:
            self._traceback(error)
        lines = [f"{self._colour('error:', RED)} {_plain(error.message)}"]
        lines += [f"  {name.replace('_', ' ')}:{_indented(fact)}" for name, fact in error.facts.items()]
        if error.hint:
            lines.append(f"{self._colour('hint:', CYAN)} {_plain(self.command(error.hint))}")
        sys.stderr.write("\n".join(lines) + "\n")

    @_one_at_a_time
    def fault(self, error: Exception) -> None:
        """Print an error that is a fault of envknit."""
        self.close()
        if self.verbose:
            self._traceback(error)
        sys.stderr.write(
            f"{self._colour('error:', RED)} envknit has a fault: {type(error).__name__}: {_plain(str(error))}\n"
            f"{self._colour('hint:', CYAN)} run it again with --verbose, and report the traceback\n"
        )

    @_one_at_a_time
    def stage(self, text: str, steps: int | None = None) -> None:
        """Show which part of the work begins; one that is not counted leaves a count that is under way."""
        done, total = self._steps
        if steps or done >= total:
            self._steps = done, total = 0, steps or 0
        if self.live:
            self._bars().update(self._task(""), description=text, total=total or None, completed=done, size="")
        elif not self.quiet:
            sys.stderr.write(f"{text}\n")

    @_one_at_a_time
    def step(self, text: str) -> None:
        """Count a step of the stage, and show the name at hand."""
        done, total = self._steps
        self._steps = done + 1, total
        if self.live:
            counted = f"{done + 1}/{total} {text}" if total else text
            self._bars().update(self._task(""), completed=done + 1, size=counted)

    @_one_at_a_time
    def begin(self, label: str, total: int | None) -> None:
        """Show a piece of work; elsewhere than on a terminal it is told when it is done."""
        self._amounts[label] = 0, total
        if self.live:
            self._bars().update(self._task(label), total=total)

    @_one_at_a_time
    def advance(self, label: str, amount: int) -> None:
        """Move the bar of a piece."""
        done, total = self._amounts.get(label, (0, None))
        done += amount
        self._amounts[label] = done, total
        if self.live and label in self._tasks:
            of = f" of {size(total)}" if total else ""
            self._progress.update(self._tasks[label], completed=done, size=f"{size(done)}{of}")

    @_one_at_a_time
    def finish(self, label: str) -> None:
        """Take the bar of a piece away, or print its line if it was worth one."""
        amount, _ = self._amounts.pop(label, (0, None))
        if self.live:
            if label in self._tasks:
                self._progress.remove_task(self._tasks.pop(label))
        elif amount >= _WORTH_A_LINE and not self.quiet:
            sys.stderr.write(f"  {label} ({size(amount)})\n")

    @_one_at_a_time
    def close(self) -> None:
        """Take all bars away, so that what is printed next stands alone."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._tasks.clear()

    def _bars(self) -> Any:
        if self._progress is None:
            # 60 ms to import: paid only where something moves
            from rich import progress
            from rich.console import Console

            self._progress = progress.Progress(
                progress.SpinnerColumn(),
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=24),
                progress.TextColumn("{task.fields[size]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        return self._progress

    def _task(self, label: str) -> Any:
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, total=None, size="")
        return self._tasks[label]

    def _colour(self, text: str, colour: str) -> str:
        return _painted(text, colour) if self._coloured_err else text

    def _traceback(self, error: BaseException) -> None:
        import traceback  # for --verbose alone

        sys.stderr.write("".join(traceback.format_exception(type(error), error, error.__traceback__)))


def size(amount: int) -> str:
    """Write a number of bytes for a person: `15.2 MB`."""
    value = float(amount)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _painted(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m"


def _indented(fact: object) -> str:
    """Write a fact behind its name; one of several lines below it."""
    text = _plain(str(fact))
    if "\n" not in text:
        return f" {text}"
    import textwrap  # few facts have several lines

    first, _, rest = text.partition("\n")
    below = "".join(f"\n    {line}" for line in textwrap.dedent(rest).split("\n"))
    return (f" {first}" if first else "") + below


def _plain(text: str) -> str:
    """Escape what could steer a terminal: file names and metadata come from strangers."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
