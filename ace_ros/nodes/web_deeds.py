"""What the page's buttons do: calls of the services and the action of the other nodes, in the caller's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from action_msgs.srv import CancelGoal
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from std_srvs.srv import Empty, SetBool, Trigger

from ace_ros.action import BuildMap
from ace_ros.srv import LoadMap, Localize
from ace_ros.web.options import PageOptions
from ace_ros.web.view import View

_WITHIN = 20.0  # s for an answer: a map is loaded in some seconds, ~/localize waits five for an image; set by hand
_LOOK = 0.1  # s between two looks at whether to stop


class Refused(Exception):
    """It can't be done, or was not; the message is the sentence for the page."""


class Deeds:
    """One method for each button; each returns a sentence, or raises :class:`Refused`. They block, and are not to be
    called by the executor's thread.

    Args:
        tell: gets how a build ended: whether well, and a sentence.
    """

    def __init__(self, node: Any, options: PageOptions, tell: Callable[[bool, str], None]) -> None:
        self._tell = tell
        self._over = threading.Event()
        mapper, localizer = options.mapper, options.localizer
        self._when_built = node.supervised("the end of a build", self._built)
        self._build_map = ActionClient(node, BuildMap, f"{mapper}/build_map")
        self._reset = node.create_client(Trigger, f"{mapper}/reset")
        self._collect = node.create_client(SetBool, f"{mapper}/collect")
        self._cancel_build = node.create_client(CancelGoal, f"{mapper}/build_map/_action/cancel_goal")
        self._load_map = node.create_client(LoadMap, f"{localizer}/load_map")
        self._localize = node.create_client(Localize, f"{localizer}/localize")
        self._forget = node.create_client(Empty, f"{localizer}/forget")
        self._set_parameters = node.create_client(SetParameters, f"{localizer}/set_parameters")
        self._get_state = node.create_client(GetState, f"{localizer}/get_state")
        self._change_state = node.create_client(ChangeState, f"{localizer}/change_state")

    def close(self) -> None:
        """Whoever waits for an answer waits no longer."""
        self._over.set()

    def map(self, _: View) -> str:
        """Begin a new drive."""
        forgotten = self._agreed(self._call(self._reset, Trigger.Request()))
        self._agreed(self._call(self._collect, SetBool.Request(data=True)))
        return f"a new drive begins ({forgotten}): move the camera through the whole place"

    def build(self, view: View) -> str:
        """Build the map of the frames taken."""
        if not self._build_map.server_is_ready():
            raise Refused("the action build_map is not served")
        handle = self._wait(self._build_map.send_goal_async(BuildMap.Goal()), "build_map")
        if not handle.accepted:
            raise Refused("the goal was not accepted")
        handle.get_result_async().add_done_callback(self._when_built)
        said = view.mapping.said
        return f"building the map of {said.frames_taken} frames" if said else "building the map"

    def cancel(self, _: View) -> str:
        """Cancel the build, whoever asked for it."""
        response = self._call(self._cancel_build, CancelGoal.Request())
        if not response.goals_canceling:
            raise Refused("there was no build to cancel: one that began by itself ends by itself")
        return "the build is being cancelled"

    def localize(self, view: View) -> str:
        """In the map that was built here, or in the one that is loaded: where is the robot?"""
        localization, mapping = view.localization.said, view.mapping.said
        built = mapping.built if mapping else ""
        if localization is None or localization.state == "inactive":
            self._start(built)
        elif built and built != localization.map_name:
            response = self._call(self._load_map, LoadMap.Request(map_name=built))
            if response.result != LoadMap.Response.RESULT_SUCCESS:
                raise Refused(response.message)
        response = self._call(self._localize, Localize.Request())
        if not response.success:
            raise Refused(response.message)
        return str(response.message)

    def forget(self, _: View) -> str:
        """Find the robot anew, without any pose before."""
        self._call(self._forget, Empty.Request())
        return "forgotten where it was: the next pose is found without any before it"

    # --- how ---

    def _start(self, map_name: str) -> None:
        """Configure and activate a localizer that has no map yet."""
        state = self._call(self._get_state, GetState.Request()).current_state.id
        if state == State.PRIMARY_STATE_UNCONFIGURED:
            if map_name:
                value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=map_name)
                request = SetParameters.Request(parameters=[Parameter(name="map", value=value)])
                (result,) = self._call(self._set_parameters, request).results
                if not result.successful:
                    raise Refused(result.reason)
            self._transition(Transition.TRANSITION_CONFIGURE, "it could not be configured: its log and state say why")
        self._transition(Transition.TRANSITION_ACTIVATE, "it could not be activated: its log and state say why")

    def _transition(self, number: int, otherwise: str) -> None:
        request = ChangeState.Request(transition=Transition(id=number))
        if not self._call(self._change_state, request).success:
            raise Refused(otherwise)

    def _built(self, future: Any) -> None:
        result = future.result().result
        self._tell(result.result == BuildMap.Result.RESULT_SUCCESS, result.message)

    @staticmethod
    def _agreed(response: Any) -> str:
        if not response.success:
            raise Refused(response.message)
        return str(response.message)

    def _call(self, client: Any, request: Any) -> Any:
        if not client.service_is_ready():
            raise Refused(f"the service {client.srv_name} is not served")
        future = client.call_async(request)
        try:
            return self._wait(future, client.srv_name)
        except Refused:
            client.remove_pending_request(future)
            raise

    def _wait(self, future: Any, what: str) -> Any:
        end = time.monotonic() + _WITHIN
        while not future.done():
            if self._over.wait(_LOOK):
                raise Refused("the web node ends")
            if time.monotonic() > end:
                raise Refused(f"{what} gave no answer within {_WITHIN:g} s")
        return future.result()
