"""Reads files that somebody else made: plain ones only, and none larger than it can be."""

import os
import stat
from pathlib import Path

KEY_MAX_BYTES = 64 << 10
# A leaf is some 350 bytes, and a manifest of 50,000 objects 20 MB; the rest is for merchants'.
MANIFEST_MAX_BYTES = 256 << 20
# A leaf of an object with its path is some 2 KB: more than 100,000 objects of one merchant.
PROOF_MAX_BYTES = 256 << 20
# Some 600 bytes a version: more than a million and a half of them.
VERSIONS_MAX_BYTES = 1 << 30
# Of the log. What is larger was not written by its writer.
OBJECT_MAX_BYTES = 64 << 20


def read_plain(path: str | Path, max_bytes: int, *, flags: int = 0) -> bytes:
    """The whole file. Raises OSError for a pipe, a device, a folder, and for more than that."""
    # A pipe that nobody writes to would be waited for without O_NONBLOCK.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "no plain file")
        if found.st_size > max_bytes:
            raise OSError(0, f"larger than {max_bytes} bytes")
        # All at once, and read on only where it was less, or has grown since.
        body = os.read(file, found.st_size + 1)
        while len(body) != found.st_size and (more := os.read(file, 1 << 20)):
            body += more
            if len(body) > max_bytes:
                break
    finally:
        os.close(file)
    if len(body) > max_bytes:
        raise OSError(0, f"larger than {max_bytes} bytes")
    return body
