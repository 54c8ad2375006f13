"""What serves inside a sub-interpreter: each entry of the host is one operation, answered by parcels in the mailbox.

begin     once, when the interpreter is new
serve     each time the host enters: takes the request out of `__main__`, posts the answer
"""

from __future__ import annotations

import _thread
import atexit
import os
import sys
from functools import partial

from envknit.errors import CExtIncompatibleError
from envknit.interpreter.cpython import SHARES_MEMORY, poster
from envknit.interpreter.guard import Guard, refusal_error
from envknit.interpreter.parcels import decode, encode
from envknit.remote.functions import found_by_path, function_of
from envknit.wire import failures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envknit.remote.channel import Channel

_TAKES_OVER_THREADS = sys.version_info < (3, 13)  # CPython 3.12 enters an interpreter as whatever thread is newest
_REFUSED = "does not support loading in subinterpreters"  # CPython's own words, in Python/import.c


def begin(names: dict[str, Any], mailbox: int, gil: str, private: str) -> None:
    """Make ready to serve, and guard the loading of extension modules.

    Args:
        names: the namespace of `__main__`.
        mailbox: where answers go.
        gil: `own` or `shared`.
        private: a folder that only this interpreter uses, not made yet.
    """
    global _server  # noqa: PLW0603 - one for each interpreter
    guard = Guard(gil, private)
    guard.install()
    before = set(sys.modules)
    _server = _Server(names, poster(mailbox), guard)
    for name in sys.modules.keys() - before:
        if not name.startswith("_"):  # what 3.14's queue needed; programs get their own
            del sys.modules[name]


def serve(names: dict[str, Any]) -> None:
    """Answer the request that the host bound in `__main__`."""
    _server.serve(names)


class _Server:
    def __init__(self, main: dict[str, Any], post: Callable[[Any], None], guard: Guard) -> None:
        self.main = main
        self._post = post
        self._guard = guard
        self._given: set[str] = set()  # names in `__main__` that came with functions
        self._sources: dict[str, str] = {}  # code that has no file, for tracebacks
        self._operations: dict[str, Callable[..., object]] = {
            "call": self._call,
            "configure": self._configure,
            "end": self._end,
            "eval": self._eval,
            "import": self._import,
            "record": guard.record,
            "run": self._run,
            "serve": self._serve_channel,
        }

    def serve(self, names: dict[str, Any]) -> None:
        text = names.pop("_envknit_request")  # what runs in `__main__` must not see it
        memory = [names.pop(f"_envknit_{index}") for index in range(names.pop("_envknit_memory"))]
        try:
            name, *args = decode(text, memory)
            memory.clear()
            parcels = encode(("value", self._operations[name](*args)))
        except BaseException as error:  # noqa: BLE001 - the host raises it; SystemExit, too, must not end an interpreter
            self._show_sources()
            parcels = encode(("error", *_described(error)))
        for stream in (sys.stdout, sys.stderr):  # each interpreter has buffers of its own before the one descriptor
            if stream is not None and not stream.closed:
                stream.flush()
        self._post(encode(_left_threads())[0])
        self._post(parcels[0])
        for view in parcels[1]:
            self._post(view if SHARES_MEMORY else bytes(view))

    def _run(self, code: str, origin: str = "<run_string>") -> None:
        self._sources[origin] = code
        # As a file: a traceback has lines then
        exec(compile(code, origin, "exec"), self.main)  # noqa: S102 - what the caller asked for

    def _eval(self, code: str) -> str:
        import json

        self.main.pop("result", None)  # one of an earlier call is no answer to this one
        self._run(code, "<eval_json>")
        return json.dumps(self.main.pop("result", {}))

    def _import(self, name: str) -> None:
        from importlib import import_module

        self._guard.refused.clear()  # those of earlier imports explain nothing
        try:
            import_module(name)
        except CExtIncompatibleError:
            raise
        except Exception as error:
            cause = _in_chain(error) or self._guess(error) or _refused_by_python(error, self._guard.gil)
            if cause is None:
                raise
            raise cause from error

    def _guess(self, error: Exception) -> CExtIncompatibleError | None:
        """Some packages raise an ImportError of their own and forget its cause (pandas); what was refused tells."""
        if isinstance(error, ModuleNotFoundError):  # it says what is missing, whatever was refused before
            return None
        # Python's own modules have stand-ins (`_datetime`), so one of them was refused without harm
        packages = [refused for refused in self._guard.refused if not self._guard.is_standard(str(refused.path))]
        return packages[0] if packages else None

    def _call(self, target: tuple[Any, ...], args: tuple[Any, ...], options: dict[str, Any]) -> object:
        kind, *told = target
        function = found_by_path(*told) if kind == "path" else function_of(tuple(told), self.main, self._given)
        result: object = function(*args, **options)
        return result

    def _configure(self, lock: str, plan: str, first: tuple[str, ...] = ()) -> None:
        from envknit.runtime.activation import activate

        # activate() tells children in os.environ which lock this is. putenv() would tell the host's children, too: the
        # C environment is the process's
        putenv = os.putenv
        os.putenv = lambda _name, _value: None
        try:
            activation = activate(lock, plan)
        finally:
            os.putenv = putenv
        self._guard.activation = activation
        sys.path[:0] = first

    def _serve_channel(self, descriptor: int, limit: int) -> None:
        """Serve a channel until the host closes it: see `worker`."""
        import socket

        from envknit.remote import modules, output
        from envknit.remote.channel import Channel

        channel = Channel(socket.socket(fileno=descriptor), is_host=False, limit=limit)
        channel.operations.update({**modules.OPERATIONS, "import": partial(_open, channel)})
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is not None:
                output.ForwardedStream(name, channel)
        channel.listen(daemon=False)  # PEP 684: `allow_daemon_threads` is off in isolated interpreters
        channel.close("the interpreter ends")

    def _end(self) -> None:
        """Do what Python does when a program ends: wait for its threads, then run its exit handlers."""
        threading: Any = sys.modules.pop("threading", None)  # else Py_EndInterpreter asks it again; 3.12 complains then
        if threading is not None:
            if _TAKES_OVER_THREADS and threading.main_thread().ident != _thread.get_ident():
                # 3.12 takes whoever imports `threading` first for the main thread, and _shutdown() on another thread
                # waits for its lock, which nobody releases (Lib/threading.py: `_shutdown`, bpo-1596321)
                threading._shutdown_locks.discard(threading.main_thread()._tstate_lock)
            threading._shutdown()
        atexit._run_exitfuncs()
        if self._guard.activation is not None:
            os.close(self._guard.activation.file)  # descriptors are the process's: nobody else would close it

    def _show_sources(self) -> None:
        import linecache

        for origin, code in self._sources.items():
            # Without a time of change linecache.checkcache() keeps it, as doctest's and IPython's
            linecache.cache[origin] = (len(code), None, code.splitlines(keepends=True), origin)


_server: _Server


def _open(channel: Channel, _: None, name: str, level: int | None = None) -> None:
    from importlib import import_module

    if level is not None:
        from envknit.remote import output

        output.forward_logs(channel, level)
    if name:
        import_module(name)


def _described(error: BaseException) -> tuple[object, ...]:
    """Describe an exception in plain data where it can be."""
    args = failures.arguments(error)
    try:
        encode(args)
    except Exception:  # noqa: BLE001 - whatever it holds, its words will do
        args = (str(error),)
    text = failures.text_of(error, _own_frames(error))
    return failures.class_tree(type(error)), args, _text(error), text, failures.extra_facts(error)


def _own_frames(error: BaseException) -> int:
    """Count the frames of this file with which the traceback starts."""
    number, trace = 0, error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        number, trace = number + 1, trace.tb_next
    return number


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - a package's own __str__ may fail
        return f"(no text: {failure!r})"


def _in_chain(error: BaseException | None) -> CExtIncompatibleError | None:
    seen = set()
    while error is not None and id(error) not in seen:  # chains can be circular: `raise a from a`
        if isinstance(error, CExtIncompatibleError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _refused_by_python(error: Exception, gil: str) -> CExtIncompatibleError | None:
    words = str(error)
    if not isinstance(error, ImportError) or not words.endswith(_REFUSED):
        return None
    return refusal_error(words.removesuffix(_REFUSED).split()[-1], words, gil)


def _left_threads() -> list[str]:
    """Wait for the threads that were started, where they would keep the host out; name those that never end."""
    if not _TAKES_OVER_THREADS or not _thread._count():
        return []
    pools: Any = sys.modules.get("concurrent.futures.thread")
    if pools is not None:  # their threads are no daemons since 3.9, and wait for work for ever
        pools._python_exit()
        pools._shutdown = False  # that was for the pools there are, not for those to come
    threading: Any = sys.modules.get("threading")
    # What stands for threads of the host (the importer of `threading`, callers of current_thread) is not started here
    foreign = (threading._MainThread, threading._DummyThread) if threading is not None else ()
    started = [] if threading is None else [t for t in threading.enumerate() if not isinstance(t, foreign)]
    for thread in started:
        if not thread.daemon:
            thread.join()
    return [thread.name for thread in started if thread.is_alive()] or ["a thread"] * _thread._count()
