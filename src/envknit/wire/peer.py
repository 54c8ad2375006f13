"""What the two ends of a channel tell each other besides calls, and what the owner of one knows."""

from __future__ import annotations

from envknit.errors import WorkerError
from envknit.wire.proxy import WorkerGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Messages of the control socket: one byte each; the first two carry one end of a new line
NEW_LINE, NEW_MAIN_LINE, INTERRUPT, QUIT = b"L", b"M", b"I", b"Q"


class Peer:
    """What the owner of a channel knows and the channel does not."""

    source: Any = None  # of module proxies

    def explain(self, *, sent: bool) -> WorkerGone:
        """Say why the other side is gone; `sent`: whether the call in flight may have been executed."""
        return WorkerGone("the other side of the channel is gone", sent=sent)

    def overdue(self, seconds: float) -> BaseException:
        """End a call that was not answered in time; returns what to raise."""
        return TimeoutError(f"no answer within {seconds} seconds")

    def origin(self, module: str) -> Any:
        """Say where a module of the other side came from; see `envknit.explain`."""
        if self.source is None:
            raise WorkerError("what lives in the host of a worker is explained there", module=module)
        return self.source.origin(module)

    def module(self, name: str, timeout: float | None) -> Any:
        """Return the stand-in of a module of the other side."""
        raise WorkerError("a module cannot cross in this direction", module=name, timeout=timeout)
