"""Transitions of a lifecycle node that take their time: beside the executor, which goes on meanwhile."""

from __future__ import annotations

from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import ReentrantCallbackGroup

from ace_ros.nodes.runtime import Answer


def configure_in_a_thread(node: Any) -> None:
    """From here on ``~/change_state`` configures in a thread; whoever asked has the answer when it is done, as ever.

    rclpy runs transitions in the service's callback, and nothing else is heard until it returns: a map of a building
    on a slow disk would be seconds of silence. There is no public way to it; the names are the same from Humble on.
    """
    service = node._service_change_state
    change_now = service.callback
    service.callback_group = ReentrantCallbackGroup()  # or the rest of its group would wait for the answer
    service.callback_group.add_entity(service)

    async def change(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        wanted = request.transition
        configures = wanted.label == "configure" if wanted.label else wanted.id == Transition.TRANSITION_CONFIGURE
        if not configures:
            return change_now(request, response)
        answer = Answer(node)
        node.supervisor.thread(
            "configuring",
            lambda: answer.give(change_now(request, response)),
            otherwise=lambda sentence: answer.give(response),  # which says that it was no success
        )
        return await answer.future

    service.callback = change
