"""Two ends of a channel in one process, the far one served by a thread."""

from __future__ import annotations

import socket
import threading
from typing import Any

from envknit.remote.channel import Channel


class Pair:
    """A host's end and a worker's end; `ask` gives the far side's object as the near side sees it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.near = Channel(ours, is_host=True)
        self.far = Channel(theirs, is_host=False)
        self.far.operations["give"] = lambda _, name: self.shelf[name]
        self.far.operations["take"] = self._take
        self.shelf: dict[str, Any] = {}
        self.taken: Any = None
        # the far end's "main thread" is a thread like others here
        self.listeners = [
            threading.Thread(target=self.near.listen, daemon=True),
            threading.Thread(target=self.far.listen, args=(self._serve,), daemon=True),
        ]
        for listener in self.listeners:
            listener.start()

    def ask(self, value: Any, timeout: float | None = 10) -> Any:
        """Let the far side return a value."""
        self.shelf["value"] = value
        return self.near.call(timeout, "give", 0, ("value",))

    def hand(self, value: Any) -> Any:
        """Hand a value over, and return what arrived there, without crossing again."""
        self.near.call(10, "take", 0, (value,))
        taken, self.taken = self.taken, None
        return taken

    def _take(self, _: None, value: Any) -> None:
        self.taken = value

    def _serve(self, _message: bytes, line: Any) -> None:
        if line is not None:
            threading.Thread(target=self.far.serve, args=(line,), daemon=True).start()

    def close(self) -> None:
        self.near.close("the test is over")
        self.far.close("the test is over")
        for listener in self.listeners:
            listener.join(10)
