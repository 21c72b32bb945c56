"""The socket that the page is served from."""

from __future__ import annotations

import errno
import ipaddress
import socket

from ace_ros.errors import InputError

_SENTENCES = {
    errno.EADDRINUSE: "parameter port: {port} of {host} is in use by another program: end that, or give another port "
    "(0: one that is free)",
    errno.EADDRNOTAVAIL: "parameter host: this machine has no address {host}; 127.0.0.1 is for itself alone, 0.0.0.0 "
    "all that it has",
    errno.EACCES: "parameter port: {port} is kept for the system: give one above 1023",
}


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; a port of 0 becomes one that is free.

    Raises:
        InputError: it can't be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise InputError(f"parameter host: '{host}' is no address, and no name that is known here") from None
    try:
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        known = _SENTENCES.get(error.errno or 0, "parameters host, port: can't listen on {host}:{port} ({why})")
        raise InputError(known.format(host=host, port=port, why=error.strerror)) from None


def is_private(listener: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def address_of(listener: socket.socket) -> str:
    """As browsers take it; of a socket for all addresses, with this machine's name."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return f"http://{socket.gethostname()}:{port}/"
    return f"http://[{host}]:{port}/" if address.version == 6 else f"http://{host}:{port}/"
