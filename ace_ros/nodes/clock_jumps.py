"""A clock that does not go on as it did: a bag that is played again, a simulation that is reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

_JUMP_BACK = Duration(nanoseconds=-100_000_000)  # less is jitter of /clock; set by hand


def on_clock_jump(node: Node, restart: Callable[[str], None]) -> Any:
    """Call ``restart`` with the reason whenever the node's clock goes back or is another; keep what is returned."""

    def jumped(jump: TimeJump) -> None:
        restart(f"time jumped by {jump.delta.nanoseconds * 1e-9:.1f} s")

    supervised = getattr(node, "supervised", lambda _, callback: callback)
    threshold = JumpThreshold(min_forward=None, min_backward=_JUMP_BACK, on_clock_change=True)
    return node.get_clock().create_jump_callback(threshold, post_callback=supervised("the jump of the clock", jumped))
