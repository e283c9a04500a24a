"""Reads untrusted files: plain files only, with a maximum size for each kind."""

import os
from pathlib import Path
from stat import S_ISREG

KEY_MAX_BYTES = 64 << 10
# A leaf has some 350 bytes, so 50,000 objects need 20 MB; the rest is for the leaves of as many
# merchants, and the branches above them: 1.2 KB each.
MANIFEST_MAX_BYTES = 256 << 20
# A line has more than 128 bytes, and that of a merchant with 10,000 balances some 10 MB.
MANIFEST_MAX_LINES = 2 << 20
LINE_MAX_BYTES = 16 << 20
# A leaf has some 350 bytes, so this is enough for 700,000 objects of one merchant.
PROOF_MAX_BYTES = 256 << 20
# A version has some 600 bytes, so this is enough for a million and a half.
VERSIONS_MAX_BYTES = 1 << 30
# A larger object was not written by the log's writer.
OBJECT_MAX_BYTES = 64 << 20


# Without O_NONBLOCK, opening a pipe would wait for its writer.
_PLAIN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
NO_LINK = _PLAIN | os.O_NOFOLLOW
SMALL_BYTES = 16 << 10


def read_plain(path: str | Path, max_bytes: int, flags: int = _PLAIN) -> bytes:
    """The whole file. Raises OSError for a pipe, a device, a folder, and a larger file."""
    file = os.open(path, flags)
    try:
        found = os.fstat(file)
        size = found.st_size
        if not S_ISREG(found.st_mode):
            raise OSError(0, "not a plain file")
        if size <= max_bytes:
            body = os.read(file, size + 1)
            if len(body) == size:
                return body
            # The read was incomplete, or the file has grown since.
            while len(body) <= max_bytes and (more := os.read(file, 1 << 20)):
                body += more
            if len(body) <= max_bytes:
                return body
        raise OSError(0, f"larger than {max_bytes} bytes")
    finally:
        os.close(file)


def read_small(path: str) -> bytes:
    """The first SMALL_BYTES of anything that can be read and is not a link: all of a small plain
    file.

    It saves a system call of `read_plain`, for callers that recognise the right bytes.
    """
    file = os.open(path, NO_LINK)
    try:
        return os.read(file, SMALL_BYTES)
    finally:
        os.close(file)
