"""Whatever is called may raise an exception: that is said, and the node goes on; or it gives up, and says so."""

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from in_process import InThisProcess
from lifecycle_msgs.srv import GetState
from localizing import Localizing, near
from mapping import Mapping
from ros_harness import own_domain
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes import localization_node
from ace_ros.online.frame_stream import GIVING
from ace_ros.online.supervision import Supervisor
from ace_ros.srv import Localize

LOCALIZED = Status.STATE_LOCALIZED


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


class Saboteur:
    """Lets chosen pieces of work fail, ``times`` times; knows the names of all that were done."""

    def __init__(self, monkeypatch):
        self.names, self.chosen, self.times, self.thrown = set(), "", 0, 0
        run, run_async = Supervisor.run, Supervisor.run_async

        def sabotaged(supervisor, what, work, *args):
            if what != "the executor":
                self.names.add(what)
            return run(supervisor, what, self._throw if self._due(what) else work, *args)

        async def sabotaged_later(supervisor, what, work, *args):
            self.names.add(what)
            return await run_async(supervisor, what, self._throw_later if self._due(what) else work, *args)

        monkeypatch.setattr(Supervisor, "run", sabotaged)
        monkeypatch.setattr(Supervisor, "run_async", sabotaged_later)

    def choose(self, what, times=2):
        self.thrown = 0
        self.chosen, self.times = what, times

    def _due(self, what):
        if what == self.chosen and self.thrown < self.times:
            self.thrown += 1
            return True
        return False

    def _throw(self, *_):
        raise KeyError(f"sabotaged: {self.chosen}")

    async def _throw_later(self, *_):
        raise KeyError(f"sabotaged: {self.chosen}")


def lifecycle_state(node):
    return node.probe.call(GetState, f"{node.name}/get_state").current_state.label


def test_localization_outlives_an_exception_in_every_callback_in_turn(mapped_room, domain, tmp_path, monkeypatch):
    """Twice in each: then frames become poses as before, the node is active, and /diagnostics says what happened."""
    saboteur = Saboteur(monkeypatch)
    with Localizing(mapped_room, domain, tmp_path, start=InThisProcess) as node:
        supervisor = node.process.node.supervisor
        node.probe.hear(Image, f"{node.name}/debug_image")
        asked = node.probe.ask(Localize, f"{node.name}/localize")
        node.probe.until(lambda: node.frame(1).state == LOCALIZED and asked.done(), "a pose and an answer")
        node.probe.until(lambda: "showing an answer" in saboteur.names, "a picture")
        often = {
            name for name in saboteur.names if not name.startswith(("the service", "on_")) and "autostart" not in name
        }
        assert len(often) >= 12, often
        for number, what in enumerate(sorted(often - {"the subscription to /tf_static"})):
            before = supervisor.count
            saboteur.choose(what)

            def thrown(number=number):
                node.frame_if_any(1 + number % 5)
                return saboteur.thrown == 2

            node.probe.until(thrown, f"exceptions in {what}")
            saboteur.choose("")
            assert supervisor.count >= before + 2
            stamp = node.probe.until(lambda: node.frame_if_any(2), f"a pose after exceptions in {what}")
            assert near(node.pose_of(stamp), node.truth(2)), what
        assert lifecycle_state(node) == "active"

        saboteur.choose("the service ~/localize", 1)
        answer = node.probe.call(Localize, f"{node.name}/localize")
        assert not answer.success and "sabotaged" in answer.message  # whoever calls gets an answer
        errors = [s for m in node.diagnostics for s in m.status if s.level == DiagnosticStatus.ERROR]
        assert any("sabotaged" in status.message for status in errors)


def test_what_fails_again_and_again_goes_through_on_error(mapped_room, domain, tmp_path, monkeypatch):
    """No pose can be published any more: LOCALIZED is not said again, the node is unconfigured, and starts anew."""
    monkeypatch.setattr(localization_node, "_RESTART", 2.0)
    saboteur = Saboteur(monkeypatch)
    with Localizing(mapped_room, domain, tmp_path, start=InThisProcess) as node:
        assert node.frame(1).state == LOCALIZED
        heard = len(node.statuses)
        saboteur.choose(GIVING, 12)

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
        saboteur.choose("")
        stamp = node.probe.until(lambda: node.frame_if_any(2), "a pose after it began anew")
        assert near(node.pose_of(stamp), node.truth(2))


def test_mapping_outlives_an_exception_in_every_callback_in_turn(mapped_room, domain, tmp_path, monkeypatch):
    saboteur = Saboteur(monkeypatch)
    with Mapping(mapped_room, domain, tmp_path, start=InThisProcess) as node:
        supervisor = node.process.node.supervisor
        node.drive(range(1, 3))
        often = {name for name in saboteur.names if not name.startswith("the service")}
        assert {"the mapper"} < often and len(often) >= 8, often
        for number, what in enumerate(sorted(often - {"the subscription to /tf_static"})):
            before = supervisor.count
            saboteur.choose(what)

            def thrown(number=number):
                node.send(3 + number)
                node.probe.spin(0.1)
                return saboteur.thrown == 2

            node.probe.until(thrown, f"exceptions in {what}")
            saboteur.choose("")
            assert supervisor.count >= before + 2
            taken = node.statuses[-1].frames_taken

            def more(number=number, taken=taken):
                node.send(4 + number)
                node.probe.spin(0.1)
                return node.statuses[-1].frames_taken > taken

            node.probe.until(more, f"a frame after exceptions in {what}")
        saboteur.choose("the service ~/collect", 1)
        answer = node.probe.call(SetBool, "/mapping_node/collect", data=True)
        assert not answer.success and "sabotaged" in answer.message
