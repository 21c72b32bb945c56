"""Files written whole or not at all, and their fingerprints."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from ace_ros.errors import InputError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there; one that was there before stays until the new one is on disk.

    Raises:
        OSError: it can't be written; nothing was changed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()  # it is gone where all went well


def file_sha256(path: Path, what: str = "the file") -> str:
    """Fingerprint of a file; ``what`` it is for the message.

    Raises:
        InputError: it can't be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {what} could not be read ({error.strerror})") from None


def fingerprint(path: Path) -> str:
    """First 16 hexadecimal digits of :func:`file_sha256`: tells maps of one name apart. Raises as that."""
    return file_sha256(path)[:16]
