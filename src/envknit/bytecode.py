"""Bytecode files of the store: as Python's own, and whole or not used.

Python trusts a `.pyc` blindly: one flipped bit in it changes what a program does, or ends it with SIGSEGV. The header
has room for a hash of the source (PEP 552), which nothing compares for a source that never changes; here it is a hash
of the bytecode itself. Imports nothing of envknit: what compiles modules loads it by its path.
"""

import _imp
import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_HEAD = MAGIC_NUMBER + (1).to_bytes(4, "little")  # a hash-based pyc that Python would never compare with its source
_KEY = 0x656E766B6E6974  # any number: it tells these files from those with a hash of their source
_SIZE = 16  # bytes of the header


def pack_bytecode(code: "CodeType") -> bytes:
    """Return the bytes of a bytecode file."""
    body = marshal.dumps(code)
    return _HEAD + _imp.source_hash(_KEY, body) + body


def whole_bytecode(data: bytes) -> memoryview | None:
    """Return what `marshal` may load of a bytecode file; None where one bit of it is not as it was written.

    Cost: a microsecond for each kilobyte.
    """
    body = memoryview(data)[_SIZE:]
    return body if data[:_SIZE] == _HEAD + _imp.source_hash(_KEY, body) else None


def bytecode_path(store: str, source: str) -> str:
    """Name the file that holds the bytecode of a source file in the store, for this interpreter.

    Entries are read-only and every file in them is known, so bytecode has a folder of its own.

    Args:
        store: absolute path of the store.
        source: absolute path of a `.py` file in it.
    """
    return f"{store}{os.sep}bytecode{os.sep}{bytecode_tag(sys.flags.optimize)}{source[len(store) :]}c"


def bytecode_tag(level: int) -> str:
    """Name the folder of bytecode of this interpreter at one level of optimization: `cpython-312.opt-1`."""
    tag = sys.implementation.cache_tag
    return f"{tag}.opt-{level}" if level else str(tag)
