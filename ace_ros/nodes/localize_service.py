"""The service ~/localize: what becomes of the next image, as an answer."""

from __future__ import annotations

import time

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from std_srvs.srv import Trigger

from ace_ros.nodes.runtime import Answer
from ace_ros.online.placing import Placed

_WITHIN = 5.0  # s that it waits for an image; set by hand


class LocalizeService:
    """Holds the questions until a frame was worked on, or for a few seconds. Answers come from any thread."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        self._node = node
        self._asked: list[tuple[Answer, float]] = []
        self.active = False
        node.create_service(Trigger, "~/localize", self._serve, callback_group=group)

    async def _serve(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self.active:
            response.message = "the node is not active"
            return response
        answer = Answer(self._node)
        self._asked.append((answer, time.monotonic() + _WITHIN))
        response.success, response.message = await answer.future
        return response

    def answer(self, placed: Placed | None, sentence: str) -> None:
        """Tell those who asked about a frame: its pose, if there is one; ``sentence`` is what its status says."""
        text = f"not localized: {sentence}"
        if placed is not None:
            x, y, z = placed.map_from_frame[:3, 3]
            where = f"{placed.frame} at ({x:.3f}, {y:.3f}, {z:.3f}) in {placed.map_frame}"
            text = f"{where}, image of {placed.stamp * 1e-9:.3f} s {sentence}"
        self._give(placed is not None, text.strip())

    def refuse(self, sentence: str) -> None:
        """Tell all who asked that there is no answer."""
        self._give(False, sentence)

    def expire(self, sentence: str) -> None:
        """Tell those who have waited for too long, and why."""
        now = time.monotonic()
        late = [answer for answer, deadline in self._asked if now > deadline]
        self._asked = [item for item in self._asked if item[0] not in late]
        for answer in late:
            answer.give((False, f"no image could be worked on within {_WITHIN:g} s: {sentence}"))

    def _give(self, success: bool, text: str) -> None:
        asked, self._asked = self._asked, []
        for answer, _ in asked:
            answer.give((success, text))
