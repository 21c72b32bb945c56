"""Whatever is called may raise an exception: that is said, and the node goes on; or it gives up, and says so."""

import os
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from in_process import InThisProcess
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from localizing import Localizing, near
from mapping import Mapping
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionServer
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import own_domain
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

import ace_ros
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes import localization_node
from ace_ros.nodes.conversions import time_message
from ace_ros.nodes.supervised import Supervised
from ace_ros.online.frame_stream import GIVING
from ace_ros.online.supervision import Supervisor
from ace_ros.srv import LoadMap, Localize

LOCALIZED = Status.STATE_LOCALIZED
SECOND = 10**9  # ns
NOW = 1000 * SECOND
JUMP, CHECK = "the jump of the clock", "the check of parameters"
STARTS = {"starting", "configuring"}  # threads that a node at work does not begin
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # all subscriptions take that
RCLPYS_OWN = re.compile(
    r"change_state|get_(state|available_states|available_transitions|transition_graph|type_description)"
)


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


class Saboteur:
    """Lets chosen pieces of work fail, ``times`` times, or wait; knows what was begun."""

    def __init__(self, monkeypatch):
        self.names, self.chosen, self.times, self.thrown = set(), (), 0, 0
        self.held, self.release = "", threading.Event()
        run, run_async, supervised = Supervisor.run, Supervisor.run_async, Supervised.supervised

        def sabotaged(supervisor, what, work, *args):
            if what != "the executor":
                self.names.add(what)
            if what == self.held:
                self.release.wait()
            return run(supervisor, what, self._throw if self._due(what) else work, *args)

        async def sabotaged_later(supervisor, what, work, *args):
            self.names.add(what)
            return await run_async(supervisor, what, self._throw_later if self._due(what) else work, *args)

        def named(node, what, *args):
            callback = supervised(node, what, *args)
            callback.what = what
            return callback

        monkeypatch.setattr(Supervisor, "run", sabotaged)
        monkeypatch.setattr(Supervisor, "run_async", sabotaged_later)
        monkeypatch.setattr(Supervised, "supervised", named)

    def choose(self, *whats, times=2):
        self.thrown = 0
        self.chosen, self.times = whats, times

    def hold(self, what):
        """What does not begin before the release is set."""
        self.release.clear()
        self.held = what

    def _due(self, what):
        if what in self.chosen and self.thrown < self.times:
            self.thrown += 1
            return True
        return False

    def _throw(self, *_):
        raise KeyError(f"sabotaged: {self.chosen}")

    async def _throw_later(self, *_):
        raise KeyError(f"sabotaged: {self.chosen}")


def created(node):
    """The names of all that rclpy calls of a node; whatever is not supervised is an error."""
    services = [service for service in node.services if not RCLPYS_OWN.fullmatch(Path(service.srv_name).name)]
    callbacks = [entity.callback for entity in (*node.subscriptions, *node.timers, *services)]
    for server in (waitable for waitable in node.waitables if isinstance(waitable, ActionServer)):
        callbacks += [server._execute_callback, server._cancel_callback]
    callbacks += node._on_set_parameters_callbacks
    bare = [callback for callback in callbacks if not hasattr(callback, "what")]
    assert not bare
    return {callback.what for callback in callbacks} | {JUMP}


def threads():
    """The names of all that is begun in a thread of its own."""
    sources = "".join(path.read_text() for path in Path(ace_ros.__file__).parent.rglob("*.py"))
    return set(re.findall(r'supervisor\.thread\(\s*"([^"]+)"', sources))


def lifecycle_state(node):
    return node.probe.call(GetState, f"{node.name}/get_state").current_state.label


def check_services(node, saboteur):
    """Each fails once: whoever calls gets an answer, which says what happened if it has room for that."""
    own = node.process.node
    for service in [service for service in own.services if hasattr(service.callback, "what")]:
        saboteur.choose(service.callback.what, times=1)
        answer = node.probe.call(service.srv_type, own.resolve_service_name(service.srv_name))
        assert saboteur.thrown == 1, service.srv_name
        assert not getattr(answer, "success", False)
        assert "sabotaged" in getattr(answer, "message", "sabotaged"), service.srv_name
    saboteur.choose(CHECK, times=1)
    wanted = [Parameter("use_sim_time", value=True).to_parameter_msg()]
    service = f"{own.get_fully_qualified_name()}/set_parameters"
    (result,) = node.probe.call(SetParameters, service, parameters=wanted).results
    assert not result.successful and "sabotaged" in result.reason
    saboteur.choose()


def publish_where_nobody_does(node, what, publishers):
    """A message for the subscription of that name, if no one but the node itself has any."""
    own = node.process.node
    for subscription in own.subscriptions:
        if subscription.callback.what != what:
            continue
        topic, kind = subscription.topic_name, subscription.msg_type
        infos = node.probe.get_publishers_info_by_topic(topic)
        if topic in publishers or all(info.node_name == own.get_name() for info in infos):
            if topic not in publishers:
                publishers[topic] = node.probe.create_publisher(kind, topic, LATCHED)
            publishers[topic].publish(kind())


def one_after_the_other(node, saboteur, names, provoke, afterwards):
    """Two exceptions in each of these pieces of work, and then all is as it was."""
    supervisor, publishers = node.process.node.supervisor, {}
    for number, what in enumerate(sorted(names)):
        before = supervisor.count
        saboteur.choose(what)

        def thrown(number=number, what=what):
            publish_where_nobody_does(node, what, publishers)
            provoke(number, what)
            return saboteur.thrown == 2

        node.probe.until(thrown, f"exceptions in {what}")
        saboteur.choose()
        assert supervisor.count >= before + 2
        afterwards(number, what)


def test_localization_outlives_an_exception_in_every_callback_in_turn(mapped_room, domain, tmp_path, monkeypatch):
    """Twice in each: then frames become poses as before, the node is active, and /diagnostics says what happened."""
    saboteur = Saboteur(monkeypatch)
    room_map = tmp_path / mapped_room.map.name
    shutil.copyfile(mapped_room.map, room_map)
    where = {"map": str(room_map), "maps_dir": str(tmp_path)}
    with Localizing(mapped_room, domain, tmp_path, start=InThisProcess, simulated=True, **where) as node:
        node.probe.hear(Image, f"{node.name}/debug_image")
        asked = node.probe.ask(Localize, f"{node.name}/localize")
        node.probe.until(lambda: node.frame(1).state == LOCALIZED and asked.done(), "a pose and an answer")
        node.probe.until(lambda: "showing an answer" in saboteur.names, "a picture")
        begun = {name for name in saboteur.names if not name.startswith(("on_", "the service")) and name != CHECK}
        names = begun | threads() | {name for name in created(node.process.node) if "the service" not in name} - {CHECK}
        names = {name for name in names if "once" not in name} - STARTS
        assert names >= {"loading a map", "following the map's file", JUMP, "the subscription to /tf_static"}

        touched = set()

        def provoke(number, what):
            if what == "loading a map":
                node.probe.call(LoadMap, f"{node.name}/load_map", map_name=room_map.name)
            elif what == "following the map's file" and saboteur.thrown not in touched:  # and then let it rest
                touched.add(saboteur.thrown)
                os.utime(room_map)
            elif what == JUMP:
                node.clock.publish(Clock(clock=time_message(node.stamp - SECOND)))
                node.probe.spin(0.1)
            elif what == "the subscription to /tf_static":
                node.rover.mount_camera()
            node.frame_if_any(1 + number % 5)

        def afterwards(number, what):
            stamp = node.probe.until(lambda: node.frame_if_any(2), f"a pose after exceptions in {what}")
            assert near(node.pose_of(stamp), node.truth(2)), what

        one_after_the_other(node, saboteur, names, provoke, afterwards)
        check_services(node, saboteur)
        assert lifecycle_state(node) == "active"
        afterwards(0, "services")
        errors = [s for m in node.diagnostics for s in m.status if s.level == DiagnosticStatus.ERROR]
        assert any("sabotaged" in status.message for status in errors)


TRANSITIONS = {
    "on_configure": (Transition.TRANSITION_CONFIGURE,),
    "on_activate": (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE),
    "on_deactivate": (
        Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE,
    ),
    "on_cleanup": (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP),
    "on_shutdown": (Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,),
}  # fmt: skip


def test_an_exception_in_every_transition_in_turn(mapped_room, domain, tmp_path, monkeypatch):
    """Through on_error the node is unconfigured, and can be configured; where that fails as well, it is finalized."""
    saboteur = Saboteur(monkeypatch)
    with Localizing(mapped_room, domain, tmp_path, start=InThisProcess, autostart=False) as node:

        def change(*transitions):
            for number in transitions:
                node.probe.call(ChangeState, f"{node.name}/change_state", transition=Transition(id=number))

        def becomes(state):
            node.probe.until(lambda: lifecycle_state(node) == state, f"{state} after {saboteur.chosen}")

        for what, transitions in TRANSITIONS.items():
            saboteur.choose(what, times=1)
            change(*transitions)
            assert saboteur.thrown == 1, what
            becomes("unconfigured")
        assert {name for name in saboteur.names if name.startswith("on_")} == {*TRANSITIONS, "on_error"}
        saboteur.choose("configuring", times=1)
        change(Transition.TRANSITION_CONFIGURE)
        assert saboteur.thrown == 1 and lifecycle_state(node) == "unconfigured"
        saboteur.choose()
        change(*TRANSITIONS["on_activate"])
        becomes("active")
        node._ready()
        stamp = node.probe.until(lambda: node.frame_if_any(2), "a pose")
        assert near(node.pose_of(stamp), node.truth(2))
        saboteur.choose("on_deactivate", "on_error", times=2)
        change(Transition.TRANSITION_DEACTIVATE)
        becomes("finalized")


def test_a_start_that_fails_is_tried_again(mapped_room, domain, tmp_path, monkeypatch):
    monkeypatch.setattr(localization_node, "_RESTART", 0.5)
    saboteur = Saboteur(monkeypatch)
    saboteur.choose("starting")
    with Localizing(mapped_room, domain, tmp_path, start=InThisProcess) as node:
        assert saboteur.thrown == 2 and node.frame(1).state == LOCALIZED


def test_what_fails_again_and_again_goes_through_on_error(mapped_room, domain, tmp_path, monkeypatch):
    """No pose can be published any more: LOCALIZED is not said again, the node is unconfigured, and starts anew."""
    monkeypatch.setattr(localization_node, "_RESTART", 2.0)
    saboteur = Saboteur(monkeypatch)
    with Localizing(mapped_room, domain, tmp_path, start=InThisProcess) as node:
        assert node.frame(1).state == LOCALIZED
        heard = len(node.statuses)
        saboteur.choose(GIVING, times=12)

        def thrown(count):
            node.send(1)
            node.probe.spin(0.1)
            return saboteur.thrown >= count

        node.probe.until(lambda: thrown(1), "the first exception")
        told = node.wait_status(lambda m: m.reason_code == Status.REASON_INTERNAL_ERROR, "a word of it")
        assert told.state != LOCALIZED and "sabotaged" in told.reason
        node.probe.until(lambda: thrown(10), "ten of them")
        inactive = node.wait_status(lambda m: m.state == Status.STATE_INACTIVE, "that it has given up")
        assert inactive.reason_code == Status.REASON_INTERNAL_ERROR and "times)" in inactive.reason
        assert lifecycle_state(node) == "unconfigured"
        assert not any(m.state == LOCALIZED for m in node.statuses[heard + 1 :])
        saboteur.choose()
        stamp = node.probe.until(lambda: node.frame_if_any(2), "a pose after it began anew")
        assert near(node.pose_of(stamp), node.truth(2))


def test_mapping_outlives_an_exception_in_every_callback_in_turn(mapped_room, domain, tmp_path, monkeypatch):
    saboteur = Saboteur(monkeypatch)
    simulated = {"now": NOW, "use_sim_time": True}
    with Mapping(mapped_room, domain, tmp_path, start=InThisProcess, **simulated) as node:
        clock = node.probe.create_publisher(Clock, "/clock", 10)
        node.drive(range(1, 3))
        assert threads() == {"loading a map", "following the map's file", *STARTS}  # those of localization_node
        begun = {name for name in saboteur.names if not name.startswith("the service") and name != CHECK}
        own = created(node.process.node)
        names = begun | {name for name in own if not name.startswith(("the service", "the action", "the cancelling"))}
        names -= {CHECK}
        assert names >= {"the mapper", JUMP, "the subscription to /tf_static"} and len(names) >= 12, names

        def provoke(number, what):
            node.rover.mount_camera()
            node.rover.send_tf("odom", "base_link", np.eye(4), node.stamp)
            if what == JUMP:
                clock.publish(Clock(clock=time_message(node.stamp - SECOND)))
                node.probe.spin(0.1)
            clock.publish(Clock(clock=time_message(node.send(3 + number))))
            node.probe.spin(0.1)

        def afterwards(number, what):
            taken = node.statuses[-1].frames_taken

            def more():
                provoke(number + 1, "")
                return node.statuses[-1].frames_taken > taken

            node.probe.until(more, f"a frame after exceptions in {what}")

        one_after_the_other(node, saboteur, names, provoke, afterwards)
        check_services(node, saboteur)
        check_actions(node, saboteur)
        afterwards(0, "services and actions")


def check_actions(node, saboteur):
    """Each fails once, and so does the cancelling of each: whoever asks gets an answer."""
    own = node.process.node
    servers = [waitable for waitable in own.waitables if isinstance(waitable, ActionServer)]
    assert len(servers) == 3
    for server in servers:
        what = server._execute_callback.what
        kind, name = server.action_type, own.resolve_service_name(what.removeprefix("the action "))
        saboteur.choose(what, times=1)
        ended = node.probe.result(node.probe.goal(kind, name).get_result_async(), f"the end of {name}").result
        assert saboteur.thrown == 1 and ended.result == kind.Result.RESULT_UNDEFINED_FAILURE
        assert "sabotaged" in ended.message
        saboteur.hold("the mapper")  # so that there is something to cancel
        handle = node.probe.goal(kind, name, **({} if name.endswith("build_map") else {"map_name": "nowhere"}))
        saboteur.choose(server._cancel_callback.what, times=1)
        answer = node.probe.result(handle.cancel_goal_async(), f"an answer to the cancelling of {name}")
        assert saboteur.thrown == 1 and not answer.goals_canceling
        answer = node.probe.result(handle.cancel_goal_async(), f"an answer to the cancelling of {name}")
        assert answer.goals_canceling
        saboteur.release.set()
        node.probe.result(handle.get_result_async(), f"the end of {name}")
