"""Options of the page; the ROS parameters of web_node."""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.options import Options, option


@dataclass(frozen=True)
class ServerOptions(Options):
    """Who can open the page"""

    host: str = option(
        "127.0.0.1",
        "Address to listen on. 127.0.0.1: browsers on this machine alone, or through an ssh tunnel; 0.0.0.0: whoever "
        "is in the network can open the page and press its buttons, there is no password.",
    )
    port: int = option(8790, "Port to listen on.", low=0, high=65535, without="one that is free, see the log")
    names: str = option(
        "",
        "Further names that browsers may call this machine by, with commas between them.",
        without="localhost, its own name, and addresses in numbers",
    )


@dataclass(frozen=True)
class PageOptions(Options):
    """What it shows"""

    mapper: str = option("mapping_node", "Node that maps, for the page to listen to and to ask.")
    localizer: str = option("localization_node", "Node that localizes, likewise.")
    image_rate: float = option(5.0, "Pictures a second, at most.", unit="Hz", low=0.1, high=30.0)
    image_width: int = option(640, "Pictures are made smaller that are wider.", unit="px", low=64, high=4096)


@dataclass(frozen=True)
class WebOptions(ServerOptions, PageOptions):
    """Options of web_node."""
