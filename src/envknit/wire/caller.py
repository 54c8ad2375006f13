"""What the parts of a channel see of it; they import this, and the channel imports them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from envknit.wire.awaiting import Loop
    from envknit.wire.buffers import Arena
    from envknit.wire.failures import Mirror
    from envknit.wire.lines import Lines
    from envknit.wire.peer import Peer
    from envknit.wire.references import Exports, Imports

    class Caller(Protocol):
        """One end of a channel; see `Channel` for what each of these does."""

        is_host: bool
        limit: int
        peer: Peer
        mirror: Mirror
        exports: Exports
        imports: Imports
        arena: Arena
        lines: Lines
        loop: Loop
        loads: Callable[[bytes | memoryview], Any]

        def call(
            self,
            timeout: float | None,
            operation: str,
            ref: int,
            args: tuple[object, ...],
            options: dict[str, object] | None = None,
        ) -> Any:
            """Let the other side do something to one of its objects, and return the result."""
            ...

        def deliver(self, ref: int, number: int, timeout: float | None, value: object = None) -> Any:
            """Return the proxy of a reference that came in."""
            ...
