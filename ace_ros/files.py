"""Files: their fingerprints."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ace_ros.errors import InputError


def file_sha256(path: Path) -> str:
    """Fingerprint of a file of weights.

    Raises:
        InputError: the file can't be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: the encoder's weights could not be read ({error.strerror})") from None
