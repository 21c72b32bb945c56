"""The actions ~/align and ~/extend: the frames of this drive, and a map that is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rclpy.action.server import ServerGoalHandle

from ace_ros.action import AlignMap, ExtendMap
from ace_ros.errors import InputError
from ace_ros.files import fingerprint
from ace_ros.mapping.progress import Progress
from ace_ros.nodes.conversions import transform_message
from ace_ros.nodes.map_actions import CODES, Feedback, MapAction
from ace_ros.nodes.mapping_report import or_nan
from ace_ros.online.growing_map import Growth, Scale

_SCALES: dict[int, Scale] = {
    AlignMap.Goal.SCALE_AS_UNITS: "as the units are",
    AlignMap.Goal.SCALE_ONE: "one",
    AlignMap.Goal.SCALE_FOUND: "found",
}


class AlignAction(MapAction):
    """Serves ~/align."""

    kind, name = AlignMap, "~/align"

    def _begin(self, goal: ServerGoalHandle, done: Callable[[Growth], None]) -> None:
        request = goal.request
        if request.scale not in _SCALES:
            raise InputError(f"scale {request.scale}: give one of the constants of AlignMap")
        self._node.session.align(request.map_name, _SCALES[request.scale], _feedback(goal, AlignMap), done)

    def _result(self, ended: Growth) -> AlignMap.Result:
        outcome, found = ended.outcome, ended.alignment
        message = AlignMap.Result(result=CODES[outcome.result], message=outcome.message)
        message.seconds = float(outcome.seconds)
        if found is None:
            return message
        transform = message.map_from_frames
        transform.header.stamp = self._node.get_clock().now().to_msg()
        transform.header.frame_id, transform.child_frame_id = ended.map_frame, self._node.options.map_frame
        transform.transform = transform_message(found.map_from_recording)
        message.scale = found.scale
        message.agreeing, message.localized, message.asked = found.agreeing, found.localized, found.of
        message.translation_stddev = found.sigma_translation
        message.rotation_stddev = math.radians(found.sigma_rotation_deg)
        message.scale_stddev = found.sigma_scale
        return message


class ExtendAction(MapAction):
    """Serves ~/extend."""

    kind, name = ExtendMap, "~/extend"

    def _begin(self, goal: ServerGoalHandle, done: Callable[[Growth], None]) -> None:
        request, drive = goal.request, self._node.get_fully_qualified_name()
        feedback = _feedback(goal, ExtendMap)
        self._node.session.extend(request.map_name, request.output_name, not request.align, drive, feedback, done)

    def _result(self, ended: Growth) -> ExtendMap.Result:
        outcome, grown = ended.outcome, ended.grown
        message = ExtendMap.Result(result=CODES[outcome.result], message=outcome.message)
        message.frames, message.seconds = outcome.frames, float(outcome.seconds)
        if grown is not None and outcome.path is not None:
            message.map_path, message.map_id = str(outcome.path), fingerprint(outcome.path)
            message.map_bytes, message.frames_known = outcome.size, grown.known
            message.places_new, message.places_touched = len(grown.new_places), len(grown.touched)
        return message


def _feedback(goal: ServerGoalHandle, kind: type[Any]) -> Feedback:
    def message(progress: Progress) -> Any:
        left = or_nan(progress.seconds_left)
        return kind.Feedback(stage=progress.stage, progress=float(progress.overall), seconds_left=left)

    return Feedback(goal, message)
