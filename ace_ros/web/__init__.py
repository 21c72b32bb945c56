"""A page for the browser that shows what mapping and localization are at, with buttons. Knows nothing of ROS.

``server`` needs aiohttp, the extra ``web``; :func:`require` says so where it is missing.
"""

from __future__ import annotations

import importlib.util

from ace_ros.dependencies import WEB
from ace_ros.errors import InputError


def require() -> None:
    """See that the library that serves the page is there.

    Raises:
        InputError: it is not.
    """
    if importlib.util.find_spec(WEB.module) is None:
        raise InputError(
            f"the web page needs {WEB.name}, which is not installed; install it with: sudo apt install {WEB.rosdep}, "
            f"or in a venv: pip install '{WEB.requirement}'"
        )
