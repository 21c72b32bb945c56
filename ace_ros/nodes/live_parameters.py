"""Parameters of localization_node, some of which can be set while it runs."""

from __future__ import annotations

from typing import Any

from ace_ros.errors import InputError
from ace_ros.nodes import parameters
from ace_ros.nodes.frame_names import check_frames
from ace_ros.nodes.options import LIVE, LocalizationNodeOptions


class LiveParameters:
    """Declares them, reads them, and refuses what can't be set now, with the reason.

    Args:
        node: has ``options``, those in force, and ``loaded``, its map or None.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        self.configuring = False
        parameters.declare(node, LocalizationNodeOptions)
        parameters.guard(node, LocalizationNodeOptions, self._refuse, self._check)

    def read(self) -> LocalizationNodeOptions:
        """As they are set now."""
        return parameters.read(self._node, LocalizationNodeOptions)

    def changed(self) -> LocalizationNodeOptions | None:
        """What they are, where something was set since the node took its options; the log says what."""
        now, before = self.read(), self._node.options
        if self._node.loaded is None or now == before:
            return None
        names = sorted(name for name in LIVE if getattr(now, name) != getattr(before, name))
        self._node.get_logger().info(f"from now on {', '.join(f'{name} is {getattr(now, name)}' for name in names)}")
        return now

    def _refuse(self, name: str) -> str:
        if self.configuring:
            return "the map is being loaded: set it once that is done"
        if self._node.loaded is None or name in LIVE:
            return ""
        return f"{name} is taken when the node is configured: deactivate and clean it up first"

    def _check(self, options: LocalizationNodeOptions) -> None:
        if self._node.loaded is None:
            return
        check_frames(self._node.loaded.scene_map.header, options)
        modes = {options.tf_mode, self._node.options.tf_mode}
        if len(modes) > 1 and "map_to_camera" in modes:
            raise InputError("tf_mode: whose pose is published can't change while the node runs: clean it up first")
