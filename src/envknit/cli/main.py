"""The door of the command line: run a verb, and give each failure one shape and one exit status."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from envknit.cli.choice import interpreter_for
from envknit.cli.parser import parse, repeated
from envknit.cli.screen import Screen
from envknit.errors import EnvknitError, InstallError, LockError, ProjectError, ResolutionError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

_STATUSES: tuple[tuple[type[EnvknitError], int], ...] = (
    (ProjectError, 2),
    (LockError, 2),
    (ResolutionError, 3),
    (EnvknitError, 4),
)
_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None, *, chosen: bool = False) -> int:
    """Run one command line and return its exit status.

    Args:
        argv: the arguments; by default those of the process.
        chosen: this already is the interpreter that `--python` names, or that the project is for.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    arguments = parse(given)
    screen = Screen(quiet=arguments.quiet, verbose=arguments.verbose, repeated=repeated(arguments))
    try:
        python = None if chosen or getattr(arguments, "platform", None) else _chosen(arguments, screen)
        if python:
            from envknit.cli.interpreter import run_again  # few commands need another interpreter

            run_again(python, given)
        status: int = arguments.main(arguments, screen)
        sys.stdout.flush()
    except EnvknitError as error:
        screen.fail(error)
        return next(status for kind, status in _STATUSES if isinstance(error, kind))
    except KeyboardInterrupt:
        screen.close()
        sys.stderr.write("\nerror: interrupted\n")
        sys.stderr.flush()
        # Threads may be waiting for an index; a person who pressed Ctrl-C does not wait for them
        os._exit(_INTERRUPTED)
    except BrokenPipeError:
        # `envknit tree | head`: whoever read is satisfied; the interpreter must not flush into the pipe again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except (ImportError, MemoryError) as error:
        what = f"a module cannot be loaded: {error}"
        hint = "see whether the disk answers; what envknit or Python was installed from is damaged, or gone"
        if isinstance(error, MemoryError):
            what, hint = "there is not enough memory", "see what else runs, and what `ulimit -v` says"
        screen.fail(InstallError(what, hint=hint))
        return 4
    except OSError as error:
        # The net under the rooms that know more about their files: the disk of the person is no fault of envknit
        from envknit.store.disk import disk_error  # most commands end well

        screen.fail(disk_error(error))
        return 4
    except Exception as error:  # noqa: BLE001 - the edge of the process: a fault of ours is told like any other
        screen.fault(error)
        return 5
    finally:
        screen.close()
    return status


def _chosen(arguments: Namespace, screen: Screen) -> str | None:
    """Return the interpreter to run in: that of `--python`, or another than this one that the project is for."""
    if arguments.python:
        from envknit.cli.interpreter import find_interpreter  # few commands name an interpreter

        return find_interpreter(arguments.python)
    return interpreter_for(arguments, screen)


def _open_closed_streams() -> None:
    """Give this process the standard streams that it was started without (`2>&-`), so that writing to them is no fault.

    They lead nowhere. The descriptors too are opened: the next file would get the number of one, and what a program
    writes to its stderr would end up in it.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - by position in CPython
            stream = os.fdopen(descriptor, "w" if descriptor else "r", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)
    with suppress(AttributeError, ValueError):  # whoever calls `main` may have put other objects there
        sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr] # a path need not be UTF-8
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        out = io.BufferedWriter(_Told(sys.stderr.fileno(), "w", closefd=False))
        encoding, errors = sys.stderr.encoding, sys.stderr.errors
        sys.stderr = io.TextIOWrapper(out, encoding=encoding, errors=errors, line_buffering=True)


class _Told(io.FileIO):
    """The file under stderr: what cannot be told, on a full disk or to a closed pipe, stops no work."""

    def write(self, data: Any) -> int:
        """Write, or let it be."""
        with suppress(OSError):
            return super().write(data) or 0
        return len(data)
