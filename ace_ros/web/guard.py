"""Who may talk to the server: browsers tell by which name they came, and whose page sends a request.

There is no password, and a page of anybody's, open in the same browser, may send requests to any address. Two things
that no such page can forge tell it: ``Host``, which is another name where the attacker's name was made to point here
(DNS rebinding), and ``Origin``, which is the attacker's where his page sends a form or opens a socket.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit


def own_names() -> set[str]:
    """Names that this machine has by itself, lower case."""
    name = socket.gethostname().lower()
    return {"localhost", name, f"{name}.local"}


def refusal(host: str, origin: str | None, names: Iterable[str]) -> str:
    """Why a request is not served, a sentence; empty where it is.

    Args:
        host: its header Host. origin: its header Origin; None: there is none, as when a browser only opens a page, and
            of other programs.
        names: lower case, that Host may have; so may addresses in numbers, which nobody can make to point elsewhere.
    """
    name = _name(host)
    if name not in set(names) and not _is_address(name):
        return f"this server is not called '{name}': the parameter names of web_node lets it be"
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return f"pages of {origin} have nothing to say here"
    return ""


def _name(host: str) -> str:
    """Without the port."""
    with contextlib.suppress(ValueError):
        return urlsplit(f"//{host}").hostname or ""
    return host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
