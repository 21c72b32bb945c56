"""The service ~/localize: what becomes of the next image, as an answer."""

from __future__ import annotations

import time

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from ace_ros.msg import LocalizationStatus
from ace_ros.nodes.pose_output import covariance_message
from ace_ros.nodes.runtime import Answer
from ace_ros.online.placing import Placed
from ace_ros.srv import Localize

_WITHIN = 5.0  # s that it waits for an image; set by hand


class LocalizeService:
    """Holds the questions until a frame was worked on, or for a few seconds. Answers come from any thread."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        self._node = node
        self._asked: list[tuple[Answer, float]] = []
        self.active = False
        node.create_service(Localize, "~/localize", self._serve, callback_group=group)

    async def _serve(self, _: Localize.Request, __: Localize.Response) -> Localize.Response:
        if not self.active:
            return Localize.Response(message="the node is not active")
        answer = Answer(self._node)
        self._asked.append((answer, time.monotonic() + _WITHIN))
        return await answer.future

    def answer(self, placed: Placed | None, status: LocalizationStatus) -> None:
        """Tell those who asked about a frame: its pose, if there is one, and its status."""
        sentence = status.reason
        text = f"not localized: {sentence}"
        if placed is not None:
            x, y, z = placed.map_from_frame[:3, 3]
            where = f"{placed.frame} at ({x:.3f}, {y:.3f}, {z:.3f}) in {placed.map_frame}"
            text = f"{where}, image of {placed.stamp * 1e-9:.3f} s {sentence}"
        response = Localize.Response(success=placed is not None, message=text.strip(), status=status)
        if placed is not None:
            response.pose = covariance_message(placed)
        self._give(response)

    def refuse(self, sentence: str) -> None:
        """Tell all who asked that there is no answer."""
        self._give(Localize.Response(message=sentence))

    def expire(self, status: LocalizationStatus) -> None:
        """Tell those who have waited for too long, and why."""
        now = time.monotonic()
        late = [answer for answer, deadline in self._asked if now > deadline]
        self._asked = [item for item in self._asked if item[0] not in late]
        for answer in late:
            message = f"no image could be worked on within {_WITHIN:g} s: {status.reason}"
            answer.give(Localize.Response(message=message, status=status))

    def _give(self, response: Localize.Response) -> None:
        asked, self._asked = self._asked, []
        for answer, _ in asked:
            answer.give(response)
