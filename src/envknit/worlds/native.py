"""Let a version with extension modules be a guest: where this Python can, and nothing speaks against it."""

from __future__ import annotations

from envknit.native.askers import why_missing
from envknit.runtime.guests import native_error
from envknit.runtime.router import router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envknit.runtime.member import Member


def allow_native(member: Member) -> None:
    """Let a member, and what it depends on, load extension modules as guests.

    Raises:
        CExtensionError: this Python cannot tell whose C code asks for a module.
    """
    needed = [router.member(member.plan, pin) for pin in member.plan.closure(member.pin) if pin.native]
    guests = [each for each in needed if each.tag]
    if guests and (reason := why_missing()):
        raise native_error(guests[0], member.pin.main, reason=reason)
    for each in guests:
        each.is_native = True
