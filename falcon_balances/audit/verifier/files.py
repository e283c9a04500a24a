"""Reads files that somebody else made: plain ones only, and none larger than it can be."""

import os
from pathlib import Path
from stat import S_ISREG

KEY_MAX_BYTES = 64 << 10
# A leaf is some 350 bytes, and a manifest of 50,000 objects 20 MB; the rest is for merchants'.
MANIFEST_MAX_BYTES = 256 << 20
# A leaf of an object with its path is some 2 KB: more than 100,000 objects of one merchant.
PROOF_MAX_BYTES = 256 << 20
# Some 600 bytes a version: more than a million and a half of them.
VERSIONS_MAX_BYTES = 1 << 30
# Of the log. What is larger was not written by its writer.
OBJECT_MAX_BYTES = 64 << 20


# A pipe that nobody writes to would be waited for without O_NONBLOCK.
_PLAIN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
NO_LINK = _PLAIN | os.O_NOFOLLOW
SMALL_BYTES = 16 << 10


def read_plain(path: str | Path, max_bytes: int, flags: int = _PLAIN) -> bytes:
    """The whole file. Raises OSError for a pipe, a device, a folder, and for more than that."""
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
            # It was not all that there is, or has grown since.
            while len(body) <= max_bytes and (more := os.read(file, 1 << 20)):
                body += more
            if len(body) <= max_bytes:
                return body
        raise OSError(0, f"larger than {max_bytes} bytes")
    finally:
        os.close(file)


def read_small(path: str) -> bytes:
    """The beginning of whatever is no link and can be read: all of a plain file below SMALL_BYTES.

    A system call less than `read_plain`, for who can tell by the bytes whether they are right.
    """
    file = os.open(path, NO_LINK)
    try:
        return os.read(file, SMALL_BYTES)
    finally:
        os.close(file)
