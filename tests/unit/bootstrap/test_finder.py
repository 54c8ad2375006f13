"""Bytecode files of the store."""

from __future__ import annotations

import marshal

import pytest

from _envknit_finder import pack_bytecode, whole_bytecode

CODE = compile("x = 1\ndef f(): return x\n", "app.py", "exec")

pytestmark = pytest.mark.ends


def test_what_was_written_is_loaded() -> None:
    body = whole_bytecode(pack_bytecode(CODE))

    assert body is not None
    assert CODE == marshal.loads(body)


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    data = pack_bytecode(CODE)

    for at in range(len(data)):
        for bit in range(8):
            assert whole_bytecode(data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]) is None
        assert whole_bytecode(data[:at]) is None
