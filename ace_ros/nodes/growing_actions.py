"""The actions ~/align and ~/extend: the frames of this drive, and a map that is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rclpy.action.server import ServerGoalHandle

from ace_ros.action import AlignMap, ExtendMap
from ace_ros.errors import InputError
from ace_ros.files import fingerprint
from ace_ros.mapping.progress import Progress
from ace_ros.nodes.conversions import transform_message
from ace_ros.nodes.map_actions import Feedback, end, serve
from ace_ros.nodes.mapping_report import or_nan
from ace_ros.nodes.runtime import Answer
from ace_ros.online.building import Result
from ace_ros.online.growing_map import Growth, Scale

if TYPE_CHECKING:
    from ace_ros.nodes.mapping_node import MappingNode

_CODES = {
    Result.SUCCESS: ExtendMap.Result.RESULT_SUCCESS,
    Result.TOO_FEW_FRAMES: ExtendMap.Result.RESULT_TOO_FEW_FRAMES,
    Result.DIVERGED: ExtendMap.Result.RESULT_DIVERGED,
    Result.WRITE_FAILED: ExtendMap.Result.RESULT_WRITE_FAILED,
    Result.CANCELED: ExtendMap.Result.RESULT_CANCELED,
    Result.INVALID_MAP: ExtendMap.Result.RESULT_INVALID_MAP,
    Result.NOT_ALIGNED: ExtendMap.Result.RESULT_NOT_ALIGNED,
    Result.UNDEFINED_FAILURE: ExtendMap.Result.RESULT_UNDEFINED_FAILURE,
}
_SCALES: dict[int, Scale] = {
    AlignMap.Goal.SCALE_AS_UNITS: "as the units are",
    AlignMap.Goal.SCALE_ONE: "one",
    AlignMap.Goal.SCALE_FOUND: "found",
}


class AlignAction:
    """Serves ~/align; the work is done by the session's collector."""

    def __init__(self, node: MappingNode) -> None:
        self._node = node
        self._server = serve(node, AlignMap, "~/align", self._execute)

    async def _execute(self, goal: ServerGoalHandle) -> AlignMap.Result:
        request: AlignMap.Goal = goal.request
        session, answer = self._node.session, Answer(self._node)
        try:
            if request.scale not in _SCALES:
                raise InputError(f"scale {request.scale}: give one of the constants of AlignMap")
            session.align(request.map_name, _SCALES[request.scale], _feedback(goal, AlignMap), answer.give)
        except InputError as error:
            return _refused(goal, AlignMap, session.building, error)
        if goal.is_cancel_requested:  # before there was anything to cancel
            session.cancel()
        growth: Growth = await answer.future
        end(goal, growth.outcome)
        return self._result(growth)

    def _result(self, growth: Growth) -> AlignMap.Result:
        outcome, found = growth.outcome, growth.alignment
        message = AlignMap.Result(result=_CODES[outcome.result], message=outcome.message)
        message.seconds = float(outcome.seconds)
        if found is None:
            return message
        transform = message.map_from_frames
        transform.header.stamp = self._node.get_clock().now().to_msg()
        transform.header.frame_id, transform.child_frame_id = growth.map_frame, self._node.options.map_frame
        transform.transform = transform_message(found.map_from_recording)
        message.scale = found.scale
        message.agreeing, message.localized, message.asked = found.agreeing, found.localized, found.of
        message.translation_stddev = found.sigma_translation
        message.rotation_stddev = math.radians(found.sigma_rotation_deg)
        message.scale_stddev = found.sigma_scale
        return message


class ExtendAction:
    """Serves ~/extend; the work is done by the session's collector."""

    def __init__(self, node: MappingNode) -> None:
        self._node = node
        self._server = serve(node, ExtendMap, "~/extend", self._execute)

    async def _execute(self, goal: ServerGoalHandle) -> ExtendMap.Result:
        request: ExtendMap.Goal = goal.request
        session, answer = self._node.session, Answer(self._node)
        drive = f"{self._node.get_fully_qualified_name()}"
        try:
            session.extend(
                request.map_name,
                request.output_name,
                not request.align,
                drive,
                _feedback(goal, ExtendMap),
                answer.give,
            )
        except InputError as error:
            return _refused(goal, ExtendMap, session.building, error)
        if goal.is_cancel_requested:  # before there was anything to cancel
            session.cancel()
        growth: Growth = await answer.future
        end(goal, growth.outcome)
        return _extended(growth)


def _extended(growth: Growth) -> ExtendMap.Result:
    outcome, grown = growth.outcome, growth.grown
    message = ExtendMap.Result(result=_CODES[outcome.result], message=outcome.message)
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


def _refused(goal: ServerGoalHandle, kind: type[Any], busy: bool, error: InputError) -> Any:
    """The result where nothing was begun."""
    goal.abort()
    code = kind.Result.RESULT_UNDEFINED_FAILURE if busy else kind.Result.RESULT_INVALID_NAME
    return kind.Result(result=code, message=str(error))
