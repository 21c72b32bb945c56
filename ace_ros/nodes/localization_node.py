"""localization_node: camera images in, the robot's pose out."""

from __future__ import annotations

import math
import sys
import threading
import time
import traceback

from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile

from ace_ros.errors import AceError
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes import parameters
from ace_ros.nodes.conversions import nanoseconds
from ace_ros.nodes.debug_image import DebugImages
from ace_ros.nodes.diagnosing import Diagnosing
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.image_input import CameraFrame, ImageInput, Silence
from ace_ros.nodes.load_service import LoadService
from ace_ros.nodes.localization_report import SILENCE_CODES, Counters, diagnose, fill_counts, status_message
from ace_ros.nodes.localize_frame import Fault, FrameLocalizer, FrameResult
from ace_ros.nodes.localize_service import LocalizeService
from ace_ros.nodes.map_cloud import CloudPublisher
from ace_ros.nodes.map_loading import LoadedMap, load_map, parameter_path
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.nodes.pose_output import PoseOutput
from ace_ros.nodes.runtime import limit_threads, run, steady_timer
from ace_ros.online.frame_slot import Arrival, ArrivalCheck, LatestSlot

_QUEUE = 5  # images that DDS keeps until the executor drains them into the slot: with 1 some would be lost uncounted
_JUMP_BACK = Duration(nanoseconds=-100_000_000)  # less is jitter of /clock
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class LocalizationNode(LifecycleNode):
    """See the package's documentation for topics, services and parameters.

    The executor receives images and leaves the newest in a slot; one thread localizes. ``_lock`` is
    held while something is published and while the map is changed, so that nothing of the old map
    comes after the answer that tells of the new one.
    """

    def __init__(self) -> None:
        super().__init__("localization_node")
        parameters.declare(self, LocalizationNodeOptions)
        self.options = parameters.read(self, LocalizationNodeOptions)
        parameters.guard(self, LocalizationNodeOptions, self._refuse_parameter)
        self._lock = threading.RLock()
        self._epoch = 0  # counts maps and jumps of time: what was begun in one epoch is not published in another
        self.loaded: LoadedMap | None = None
        self._localizer: FrameLocalizer | None = None
        self._images: ImageInput | None = None
        self._thread: threading.Thread | None = None
        self._slot: LatestSlot[tuple[CameraFrame, int]] = LatestSlot()
        self._counters = Counters()
        self._fault = Fault(Status.REASON_NO_MAP, "the node is not configured")
        self._last, self._last_time = status_message(Status.STATE_INACTIVE, self._fault), -math.inf
        self._stale = ""
        self._tree = FrameTree(self)
        self._output = PoseOutput(self, self._tree)
        self._create_interfaces()
        if self.options.autostart:
            self._autostart_timer = steady_timer(self, 0.01, self._autostart)

    def _create_interfaces(self) -> None:
        self._status = self.create_publisher(Status, "~/status", QoSProfile(depth=10))
        self._debug = DebugImages(self)
        self._cloud = CloudPublisher(self)
        group = ReentrantCallbackGroup()
        self._localize_service = LocalizeService(self, group)
        self._load_service = LoadService(self, group)
        self._diagnosing = Diagnosing(self, "localization", self._diagnose)
        steady_timer(self, 0.5, self._heartbeat)
        threshold = JumpThreshold(min_forward=None, min_backward=_JUMP_BACK, on_clock_change=True)
        self._jumps = self.get_clock().create_jump_callback(threshold, post_callback=self._on_jump)

    def close(self) -> None:
        """Stop the worker thread."""
        self._stop()

    # --- lifecycle ---

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        if self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the map and the encoder; FAILURE leaves the node unconfigured, with the reason in the log and status."""
        try:
            self.options = options = parameters.read(self, LocalizationNodeOptions)
            limit_threads(options.threads)
            loaded = load_map(parameter_path(options), options)
        except AceError as error:
            self._fault = Fault(Status.REASON_NO_MAP, str(error))
            self.get_logger().error(f"not configured: {error}")
            self._publish_status(status_message(Status.STATE_INACTIVE, self._fault))
            return _FAILURE
        except Exception:
            self.get_logger().error(f"not configured, a defect of this package:\n{traceback.format_exc()}")
            return _FAILURE
        self.use_map(loaded)
        self._fault = Fault(Status.REASON_NONE, "the node is not active")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and start to work."""
        answer = super().on_activate(state)
        self._counters = Counters()
        self._arrivals = ArrivalCheck(self.options.max_age, self.options.max_rate)
        assert self.loaded is not None
        self.use_map(self.loaded)  # starts tracking anew
        self._slot = LatestSlot()
        self._thread = threading.Thread(target=self._work, args=(self._slot,), name="localizer", daemon=True)
        self._thread.start()
        self._images = ImageInput(self, self.options, _QUEUE)
        self._images.registerCallback(self._on_frame)
        self._localize_service.active = True
        self._tf_timer = steady_timer(self, 1.0 / self.options.tf_rate, self._resend)
        self.get_logger().info(
            f"localizing in '{self.loaded.name}' with images on {self._images.image_topic} and camera_info on "
            f"{self._images.info_topic}; tf_mode {self.options.tf_mode}"
        )
        return answer

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and be silent."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the map."""
        with self._lock:
            if self.loaded is not None:
                self._cloud.clear(self.loaded.map_frame)
            self.loaded = self._localizer = None
        self._fault = Fault(Status.REASON_NO_MAP, "the node is not configured")
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As on_deactivate."""
        self._stop()
        return super().on_shutdown(state)

    def _stop(self) -> None:
        self._slot.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._images is not None:
            self._images.close()
            self._images = None
            self.destroy_timer(self._tf_timer)
        self._localize_service.active = False
        self._localize_service.refuse("the node is not active")
        self._fault = Fault(Status.REASON_NONE, "the node is not active")

    def _refuse_parameter(self, name: str) -> str:
        if self.loaded is None:
            return ""
        return f"{name} is taken when the node is configured: deactivate and clean it up first"

    # --- the map ---

    def use_map(self, loaded: LoadedMap) -> None:
        """From here on everything that is published comes from this map."""
        with self._lock:
            self._epoch += 1
            new = loaded is not self.loaded
            self.loaded, self._localizer = loaded, self._localizer_in(loaded)
            self._output.configure(self.options, loaded.map_frame)
        if new:
            self._cloud.publish_landmarks(loaded.localizer.scene_map, loaded.map_frame)

    def _localizer_in(self, loaded: LoadedMap) -> FrameLocalizer:
        return FrameLocalizer(loaded.localizer, self._tree, self.options, loaded.map_frame, loaded.metric)

    def _on_jump(self, jump: TimeJump) -> None:
        self._restart(f"time jumped by {jump.delta.nanoseconds * 1e-9:.1f} s")

    def _restart(self, why: str) -> None:
        """Time does not go on as it did: nothing of before counts."""
        self.get_logger().info(f"{why}: starting over")
        with self._lock:
            self._epoch += 1
            self._tree.clear()
            self._output.forget()
            self._counters.overtaken += self._slot.clear()
            if self._images is not None and self.loaded is not None:
                self._images.forget()
                self._arrivals.forget()
                self._localizer = self._localizer_in(self.loaded)

    # --- frames ---

    def _on_frame(self, frame: CameraFrame) -> None:
        now = self.get_clock().now().nanoseconds
        arrival = self._arrivals.sort(frame.stamp, now)
        self._stale = ""
        if arrival is Arrival.STALE:
            self._counters.stale += 1
            self._stale = (
                f"images are {(now - frame.stamp) * 1e-9:.1f} s old when they arrive, max_age is "
                f"{self.options.max_age:g} s: do the clocks agree, and is use_sim_time right?"
            )
        elif arrival is Arrival.LATE:
            self._counters.late += 1
        elif arrival is Arrival.RESTARTED:
            self._restart("stamps of the images went back")
        if arrival in (Arrival.STALE, Arrival.LATE):
            return
        if self._arrivals.too_soon(frame.stamp):
            self._counters.too_soon += 1
        elif self._slot.put((frame, self._epoch)):
            self._counters.overtaken += 1

    def _work(self, slot: LatestSlot[tuple[CameraFrame, int]]) -> None:
        while (item := slot.take()) is not None:
            frame, epoch = item
            with self._lock:
                localizer = self._localizer
                if epoch != self._epoch or localizer is None:
                    self._counters.overtaken += 1
                    continue
            try:
                result = localizer.work(frame)
            except Exception:
                self.get_logger().error(f"a defect of this package:\n{traceback.format_exc()}")
                fault = Fault(Status.REASON_INTERNAL_ERROR, "a defect of this package, see the log")
                result = FrameResult(frame, Status.STATE_UNCERTAIN, fault, math.nan)
            with self._lock:
                if epoch != self._epoch:
                    self._counters.overtaken += 1
                    continue
                self._publish(result)
            if result.image is not None and result.localization is not None:
                self._debug.publish(result.frame.header, result.image, result.localization, result.fault.sentence)

    def _publish(self, result: FrameResult) -> None:
        counters, frame = self._counters, result.frame
        counters.processed += 1
        counters.rejected += result.localization is None
        fault = result.fault
        if result.placed is not None and result.localization is not None:
            counters.localized += 1
            counters.kidnapped += result.kidnapped
            assert result.localization.map_from_camera is not None
            self._output.publish(result.placed, frame.header.frame_id, result.localization.map_from_camera)
            if rival := self._output.rival(frame.header.frame_id):
                fault = Fault(Status.REASON_TF_CONFLICT, rival)
        if result.kidnapped:
            self.get_logger().warning("the robot was moved: a run of poses agrees on another place than the odometry")
        latency = (self.get_clock().now().nanoseconds - frame.stamp) * 1e-9
        message = status_message(result.state, fault, result, latency)
        message.header.stamp = frame.header.stamp
        self._publish_status(message)
        self._localize_service.answer(result, fault.sentence)

    def _resend(self) -> None:
        with self._lock:
            if self._thread is not None:
                self._output.resend()

    # --- reports ---

    def _heartbeat(self) -> None:
        """Twice a second: status where no frame brings one, the image's QoS, and questions that got no answer."""
        if self._images is None:
            self._publish_status(status_message(Status.STATE_INACTIVE, self._fault))
        else:
            self._images.look_after()
            silence, sentence = self._images.silence()
            if silence is not Silence.NONE:
                self._publish_status(status_message(Status.STATE_WAITING, Fault(SILENCE_CODES[silence], sentence)))
            elif self._stale:
                self._publish_status(status_message(Status.STATE_WAITING, Fault(Status.REASON_STALE, self._stale)))
            elif time.monotonic() - self._last_time > 0.5:
                self._publish_status(self._last)
        self._localize_service.expire(self._last.reason)

    def _publish_status(self, message: Status) -> None:
        with self._lock:
            message.header.frame_id = self.loaded.map_frame if self.loaded else ""
            if not nanoseconds(message.header.stamp):
                message.header.stamp = self.get_clock().now().to_msg()
            message.map_name, message.map_id = (self.loaded.name, self.loaded.identity) if self.loaded else ("", "")
            fill_counts(message, self._counters, self._images)
            self._last, self._last_time = message, time.monotonic()
            self._status.publish(message)

    def _diagnose(self, status: DiagnosticStatusWrapper) -> None:
        diagnose(status, self._last, self._counters, self._output.rival() if self._images else "")


def main() -> int:
    """Entry point."""
    return run(LocalizationNode)


if __name__ == "__main__":
    sys.exit(main())
