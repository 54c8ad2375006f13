"""A channel whose other end goes away: which calls may be made once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from envknit.wire.failures import WorkerGone

if TYPE_CHECKING:
    from kit.pair import Pair


def test_a_call_whose_call_back_could_not_be_answered_was_sent_all_the_same(pair: Pair) -> None:
    rung: list[int] = []

    def bell() -> None:
        rung.append(1)
        pair.far.lines.close(wake=True)

    def ring(_: None, bell: Any) -> None:
        bell()

    pair.far.operations["ring"] = ring
    with pytest.raises(WorkerGone) as caught:
        pair.near.call(10, "ring", 0, (bell,))
    assert (caught.value.sent, rung) == (True, [1])
