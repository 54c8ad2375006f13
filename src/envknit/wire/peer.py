"""What the owners of a channel's two ends tell each other beside calls, and what a channel asks of its owner."""

from __future__ import annotations

from envknit.errors import WorkerError
from envknit.wire.failures import WorkerGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# Messages of the control socket: one byte each; the first two carry one end of a new line
NEW_LINE, NEW_MAIN_LINE, INTERRUPT, QUIT = b"L", b"M", b"I", b"Q"


class Peer:
    """Callbacks that a channel needs from its owner, which knows the process or interpreter at the other end."""

    source: Any = None  # of module proxies

    def lost_error(self, *, sent: bool) -> WorkerGone:
        """Close this end, since the other one hung up; return what to raise.

        Args:
            sent: whether the call in flight may have been executed.
        """
        return WorkerGone("the other side of the channel is gone", sent=sent)

    def timeout_error(self, seconds: float) -> BaseException:
        """Deal with a call that was not answered in time; return what to raise."""
        return TimeoutError(f"no answer within {seconds} seconds")

    def origin(self, module: str) -> Any:
        """Say where a module of the other side came from; see `envknit.explain`."""
        if self.source is None:
            raise WorkerError("what lives in the host of a worker is explained there", module=module)
        return self.source.origin(module)

    def module(self, name: str, timeout: float | None) -> Any:
        """Return the stand-in of a module of the other side."""
        if self.source is None:
            raise WorkerError("a module cannot cross in this direction", module=name, timeout=timeout)
        return self.source.module(name, timeout)
