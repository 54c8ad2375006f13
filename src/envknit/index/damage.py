"""What Python's readers of archives raise where an archive is damaged, told apart from what the disk refuses."""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib

from envknit.errors import EnvknitError

DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(RuntimeError, ValueError, ArithmeticError, LookupError),  # RuntimeError: encrypted ZIPs, and too deep a recursion
    OSError,  # gzip and bz2 say so; a seek to before the start; two members that are in each other's way
)
_DISK = frozenset(
    {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}
    | {errno.ENOENT, errno.EPERM, errno.EROFS}
)


def is_damage(error: BaseException) -> bool:
    """Whether an exception among `DAMAGE` is the archive's fault; ours are OSErrors, too, and the disk has its own."""
    return not isinstance(error, EnvknitError) and not (isinstance(error, OSError) and error.errno in _DISK)
