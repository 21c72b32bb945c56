"""localization_node: camera images in, the robot's pose out."""

from __future__ import annotations

import sys
import threading
from typing import Any

from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Empty

from ace_ros.errors import AceError
from ace_ros.geometry import Matrix
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.alternative_markers import AlternativeMarkers
from ace_ros.nodes.autostart import Autostart
from ace_ros.nodes.bond import ManagerBond
from ace_ros.nodes.clock_jumps import on_clock_jump
from ace_ros.nodes.debug_image import DebugImages
from ace_ros.nodes.diagnosing import Diagnosing
from ace_ros.nodes.frame_names import frame_of
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.initial_pose import InitialPoses
from ace_ros.nodes.live_parameters import LiveParameters
from ace_ros.nodes.load_service import LoadService, load_map, parameter_path
from ace_ros.nodes.localization_report import diagnose, fill_counts, frame_status, inactive, waiting
from ace_ros.nodes.localize_frame import FrameResult, FrameWork
from ace_ros.nodes.localize_service import LocalizeService
from ace_ros.nodes.map_cloud import CloudPublisher
from ace_ros.nodes.map_follower import MapFollower
from ace_ros.nodes.pose_output import PoseOutput
from ace_ros.nodes.runtime import limit_threads, run, steady_timer
from ace_ros.nodes.slow_transitions import configure_in_a_thread
from ace_ros.nodes.status_output import SILENCE, StatusOutput
from ace_ros.nodes.supervised import Supervised, transition
from ace_ros.online.frame_stream import FrameCounters
from ace_ros.online.loading import LoadedMap
from ace_ros.online.reasons import Fault, OnlineReason

_RIVALS = 2.0  # s between two looks at whether others still publish what this node would
_RESTART = 5.0  # s after an error, until a node that starts by itself begins anew; set by hand
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class LocalizationNode(Supervised, LifecycleNode):
    """See the package's documentation for topics, services and parameters.

    The executor receives images, another thread localizes the newest. ``_lock`` is held while something is
    published and while the map is changed, so that nothing of the old map comes after the answer that tells of the
    new one.
    """

    def __init__(self) -> None:
        super().__init__("localization_node")
        self.loaded: LoadedMap | None = None
        self._live = LiveParameters(self)
        self.options = self._live.read()
        self._lock = threading.RLock()
        self._work: FrameWork | None = None  # while the node is active
        self._tf_timer: Any = None  # as well
        self._counters = FrameCounters()
        self._fault = Fault(OnlineReason.NO_MAP, "the node is not configured")
        self._autostart = Autostart(self, self._live.read, self._wait, _RESTART)
        self._tree = FrameTree(self)
        self._output = PoseOutput(self, self._tree, InitialPoses(self, self._hint))
        self._bond = ManagerBond(self)
        self._create_interfaces()
        configure_in_a_thread(self)
        if self.options.autostart:
            self._autostart.begin(0.01)

    def _create_interfaces(self) -> None:
        self._status = StatusOutput(self, self._news, inactive(self._fault))
        self._debug, self._alternatives = DebugImages(self), AlternativeMarkers(self)
        self._cloud = CloudPublisher(self)
        group = ReentrantCallbackGroup()
        self._localize_service = LocalizeService(self, group)
        self._load_service = LoadService(self, group)
        self.create_service(Empty, "~/forget", self._forget, callback_group=group)
        self._follower = MapFollower(self)
        self._diagnosing = Diagnosing(self, "localization", self._diagnose)
        steady_timer(self, SILENCE, self._heartbeat)
        steady_timer(self, SILENCE, self._give_up_where_hopeless)
        steady_timer(self, _RIVALS, self._output.look_after)
        self._jumps = on_clock_jump(self, self._restart)

    def close(self) -> None:
        """Stop the worker thread, once the map that is being loaded is there."""
        self._autostart.join()
        self._stop()

    # --- lifecycle ---

    def _wait(self, sentence: str) -> None:
        self._fault = Fault(OnlineReason.NO_MAP, sentence)

    @transition
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the map and the encoder; FAILURE leaves the node unconfigured, with the reason in the log and status."""
        self._live.configuring = True
        try:
            self.options = options = self._live.read()
            limit_threads(options.threads)
            path = parameter_path(options)
            self._fault = Fault(OnlineReason.NO_MAP, f"the map is being loaded: {path}")
            loaded = load_map(path, options)
        except AceError as error:
            self._fault = Fault(OnlineReason.NO_MAP, str(error))
            self.get_logger().error(f"not configured: {error}")
            self._publish_status(inactive(self._fault))
            return _FAILURE
        finally:
            self._live.configuring = False
        self.use_map(loaded)
        self._fault = Fault(sentence="the node is not active")
        return super().on_configure(state)

    @transition
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and start to work."""
        answer = super().on_activate(state)
        try:
            self._work = FrameWork(
                self, self._tree, self.options, self._lock, self._publish, self._show, self._on_restart, self.supervisor
            )
        except AceError as error:
            self._fault = Fault(OnlineReason.INTERNAL_ERROR, str(error))
            self.get_logger().error(f"not activated: {error}")
            return _FAILURE
        self._counters = self._work.counters
        assert self.loaded is not None
        self.use_map(self.loaded)  # starts tracking anew
        self._localize_service.active = True
        self._bond.form(self.options.bond_heartbeat_period)
        self._tf_timer = steady_timer(self, 1.0 / self.options.tf_rate, self._resend)
        alone = f"; each image alone: {self._work.alone}" if self._work.alone else ""
        self.get_logger().info(
            f"localizing in '{self.loaded.name}' with {self._work.images}; tf_mode {self.options.tf_mode}{alone}"
        )
        return answer

    @transition
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and be silent; ERROR where the node gives up."""
        self._stop()
        answer = super().on_deactivate(state)
        return TransitionCallbackReturn.ERROR if self.supervisor.hopeless else answer

    @transition
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the map."""
        self._let_go()
        self._fault = Fault(OnlineReason.NO_MAP, "the node is not configured")
        return super().on_cleanup(state)

    @transition
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave nothing behind and be unconfigured; with autostart, begin anew after a moment."""
        why = self.supervisor.hopeless or self.supervisor.fault()
        self._stop()
        self._let_go()
        self.supervisor.start_over()
        self._fault = Fault(OnlineReason.INTERNAL_ERROR, why)
        again = f"the node starts anew in {_RESTART:g} s" if self.options.autostart else "configure the node to go on"
        self.get_logger().error(f"given up, {again}: {why}")
        if self.options.autostart:
            self._autostart.begin(_RESTART)
        return super().on_error(state)

    @transition
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As on_deactivate."""
        self._stop()
        return super().on_shutdown(state)

    def _give_up_where_hopeless(self) -> None:
        if self._work is not None and self.supervisor.hopeless:
            self.trigger_deactivate()

    def _let_go(self) -> None:
        self._load_service.forget()
        with self._lock:
            self._cloud.clear(self.map_frame)
            self.loaded = None

    def _stop(self) -> None:
        self._bond.let_go()
        work, self._work = self._work, None
        if work is not None:
            work.close()
        if self._tf_timer is not None:
            self.destroy_timer(self._tf_timer)
            self._tf_timer = None
        self._localize_service.active = False
        self._localize_service.refuse("the node is not active")
        self._fault = Fault(sentence="the node is not active")

    def _take_parameters(self) -> None:
        """What was set while the node runs."""
        options = self._live.changed()
        if options is None:
            return
        before, self.options = self.options, options
        with self._lock:
            self._output.use(options)
            if self._work is not None:
                self._work.use(options)
        if self._work is not None and options.tf_rate != before.tf_rate:
            self.destroy_timer(self._tf_timer)
            self._tf_timer = steady_timer(self, 1.0 / options.tf_rate, self._resend)

    # --- the map ---

    @property
    def map_frame(self) -> str:
        """The frame of the poses; empty where there is no map."""
        return frame_of(self.loaded.scene_map.header, self.options) if self.loaded else ""

    def use_map(self, loaded: LoadedMap) -> None:
        """From here on everything that is published comes from this map."""
        with self._lock:
            new, self.loaded = loaded is not self.loaded, loaded
            self._output.configure(self.options, self.map_frame)
            if self._work is not None:
                self._work.use_map(loaded.localizer, self.map_frame)
        if new:
            self._cloud.publish_landmarks(loaded.scene_map, self.map_frame)

    def follow_map(self, old: LoadedMap, new: LoadedMap) -> bool:
        """Go on in a map that has grown, without a gap; False where the node has let go of the old one meanwhile."""
        with self._lock:
            if self.loaded is not old:
                return False
            before, after = old.scene_map.header, new.scene_map.header
            if (before.map_frame, before.metric) != (after.map_frame, after.metric):
                self.use_map(new)  # nothing of before counts
                return True
            self.loaded = new
            if self._work is not None:
                self._work.follow_map(new.localizer)
        self._cloud.publish_landmarks(new.scene_map, self.map_frame)
        return True

    def _on_restart(self) -> None:
        self._restart("stamps of the images went back")

    def _restart(self, why: str, tree: bool = True) -> None:
        """Nothing of before counts; ``tree``: nor what TF knows, as time does not go on as it did."""
        what = "TF and poses" if tree else "poses"
        self.get_logger().warning(f"{why}: starting over, {what} of before are forgotten")
        with self._lock:
            if tree:
                self._tree.clear()
            self._output.forget()
            if self._work is not None and self.loaded is not None:
                self._work.forget()
                self._work.use_map(self.loaded.localizer, self.map_frame)

    def _forget(self, _: Empty.Request, response: Empty.Response) -> Empty.Response:
        """As AMCL's reinitialize_global_localization: the next pose is found without any before it."""
        self._restart("asked to forget where the robot is", tree=False)
        return response

    def _hint(self, map_from_base: Matrix, covariance: Matrix) -> None:
        with self._lock:
            if self._work is not None:
                self._work.hint(map_from_base, covariance)

    # --- frames ---

    def _publish(self, result: FrameResult) -> None:
        counters, frame, answer = self._counters, result.frame, result.answer
        placed, found, fault = answer.placed, answer.localization, answer.fault or result.beside
        counters.processed += 1
        counters.rejected += found is None
        if placed is not None:
            counters.localized += 1
            counters.kidnapped += answer.kidnapped
            self._output.publish(placed, frame.header.frame_id)
            if rival := self._output.rival(frame.header.frame_id):
                fault = Fault(OnlineReason.TRANSFORM_CONFLICT, rival)
        if answer.kidnapped:
            self.get_logger().warning("the robot was moved: a run of poses agrees on another place than the odometry")
        latency = (self.get_clock().now().nanoseconds - frame.stamp) * 1e-9
        message = frame_status(result, fault, latency)
        self._publish_status(message)
        if self.loaded is not None:
            depth = self.loaded.scene_map.header.median_depth
            self._alternatives.publish(message.header, answer.alternatives, depth)
        self._localize_service.answer(placed, message)

    def _show(self, result: FrameResult) -> None:
        answer = result.answer
        if result.image is not None and answer.localization is not None:
            self._debug.publish(result.frame.header, result.image, answer.localization, answer.fault.sentence)

    def _resend(self) -> None:
        with self._lock:
            if self._work is not None:
                self._output.resend()

    # --- reports ---

    def _heartbeat(self) -> None:
        """Twice a second: status where no frame brings one, the image's QoS, questions without an answer, the map."""
        self._take_parameters()
        if self._work is None:
            self._publish_status(inactive(self._fault))
        else:
            self._work.images.look_after()
            if fault := self._work.fault():
                self._publish_status(waiting(fault))
            elif self._status.due:
                self._publish_status(self._status.last)
        self._localize_service.expire(self._status.last)
        if self.options.follow_map:
            self._follower.look()

    def _publish_status(self, message: Status) -> None:
        with self._lock:
            message.header.frame_id = self.map_frame
            if loaded := self.loaded:
                message.map_name, message.map_id = loaded.name, loaded.identity
                message.metric = loaded.scene_map.header.metric
            fill_counts(message, self._counters, self._work.images if self._work else None)
            self._status.publish(message)

    def _diagnose(self, status: DiagnosticStatusWrapper) -> None:
        rival = self._output.rival() if self._work else ""
        cameras = work.report() if (work := self._work) else {}
        diagnose(status, self._status.last, self._counters, rival, self._follower.fault, self.supervisor, cameras)


def main() -> int:
    """Entry point."""
    return run(LocalizationNode)


if __name__ == "__main__":
    sys.exit(main())
