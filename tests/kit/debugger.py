"""A client of the Debug Adapter Protocol: what an editor says to debugpy."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Debugger:
    """A connection to a debugpy that listens; `close()` it.

    Args:
        port: where, on loopback; it may begin to listen in the next half minute.
    """

    def __init__(self, port: int) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        self._stream = self._socket.makefile("rb")
        self._sent = 0
        self._kept: list[dict[str, Any]] = []

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def step_in(self, script: Path, line: int, *, just_my_code: bool) -> tuple[str, int]:
        """Stop a script at a line, step into what is called there, and run on; returns file and line of that step."""
        self._ask("initialize", adapterID="test", pathFormat="path", linesStartAt1=True)
        self._send("attach", justMyCode=just_my_code)
        self._event("initialized")
        self._ask("setBreakpoints", source={"path": str(script)}, breakpoints=[{"line": line}])
        self._ask("configurationDone")
        thread = self._event("stopped")["threadId"]
        self._ask("stepIn", threadId=thread)
        self._event("stopped")
        frame = self._ask("stackTrace", threadId=thread)["stackFrames"][0]
        self._ask("continue", threadId=thread)
        return frame["source"]["path"], frame["line"]

    def _send(self, command: str, **arguments: Any) -> int:
        self._sent += 1
        message = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        content = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        return self._sent

    def _ask(self, command: str, **arguments: Any) -> Any:
        number = self._send(command, **arguments)
        answer = self._wait(lambda message: message.get("request_seq") == number)
        assert answer["success"], answer
        return answer.get("body")

    def _event(self, name: str) -> Any:
        return self._wait(lambda message: message.get("event") == name).get("body")

    def _wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            for number, message in enumerate(self._kept):
                if wanted(message):
                    return self._kept.pop(number)
            size = 0
            while header := self._stream.readline().strip():
                if header.lower().startswith(b"content-length:"):
                    size = int(header.split(b":")[1])
            self._kept.append(json.loads(self._stream.read(size)))
