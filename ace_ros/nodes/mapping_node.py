"""mapping_node: posed camera frames in, a map file out."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_srvs.srv import SetBool, Trigger

from ace_ros.errors import AceError, Cancelled, InputError
from ace_ros.geometry import Matrix
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.map.header import HeldBack
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper, Progress
from ace_ros.mapping.options import MapOptions
from ace_ros.msg import MappingStatus
from ace_ros.nodes import parameters
from ace_ros.nodes.build_action import BuildAction
from ace_ros.nodes.conversions import decode
from ace_ros.nodes.diagnosing import Diagnosing
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.image_input import CameraFrame, ImageInput
from ace_ros.nodes.map_cloud import CloudPublisher
from ace_ros.nodes.mapping_report import arrivals, fill_counts, fill_held_back, fill_progress
from ace_ros.nodes.options import MappingNodeOptions
from ace_ros.nodes.pose_input import PoseInput
from ace_ros.nodes.runtime import limit_threads, run, steady_timer
from ace_ros.online.collecting import Candidate, Collector, Outcome, Result
from ace_ros.online.keyframes import KeyframeOptions, KeyframePicker
from ace_ros.online.mapping_advice import FEWEST_FRAMES, Intake, advice
from ace_ros.online.maps_dir import map_path, prepare_folder
from ace_ros.srv import SaveMap
from ace_ros.visual.cloud import map_cloud

_QUEUE = 60  # images that DDS keeps while the executor is busy: all are wanted
_POLL = 0.02  # s
_STATUS_PERIOD = 0.1  # s between two looks for news
_SILENCE = 0.9  # s: the status comes at least once a second


class MappingNode(Node):
    """See the package's documentation for topics, services and parameters."""

    def __init__(self) -> None:
        super().__init__("mapping_node")
        parameters.declare(self, MappingNodeOptions)
        self.options = options = parameters.read(self, MappingNodeOptions)
        parameters.guard(self, MappingNodeOptions, lambda name: f"{name} is taken at the start: restart the node")
        map_path(options.maps_dir, options.map_name)  # a bad name is better told now than after the drive
        if not options.map_frame:
            raise InputError("parameter map_frame: give the frame of the poses, map or odom, say")
        limit_threads(options.threads)
        self.progress: Progress | None = None
        self.outcome: Outcome | None = None
        self._seen_outcome_frames = 0  # taken when the last build began
        self._last_map: SceneMap | None = None
        self._map_name = ""
        self._told, self._told_time = "", 0.0
        self._forgotten: dict[str, int] = {}  # counts at the last reset
        self._collecting = options.autostart
        self._started = time.monotonic()
        picker = KeyframePicker(
            KeyframeOptions(options.min_translation, options.min_rotation, options.min_interval, options.max_interval)
        )
        self.collector = Collector(
            lambda: Mapper(map_options(options), map_frame=options.map_frame, metric=options.metric),
            picker,
            options.queue_size,
            options.max_frames,
            lambda sentence: self.get_logger().warning(sentence),
            options.metric,
        )
        self._tree = FrameTree(self, cache_seconds=max(10.0, 2 * options.tf_timeout))
        self._images = ImageInput(self, options, _QUEUE)
        self._poses = PoseInput(self, self._images, self._tree, options, self._on_posed)
        self._build_action = BuildAction(self)
        self._create_interfaces()
        self.get_logger().info(
            f"waiting for images on {self._images.image_topic}, camera_info on {self._images.info_topic} and poses "
            f"from {self._poses.topic or f'TF ({options.map_frame} <- camera)'}; maps go to "
            f"{Path(options.maps_dir).expanduser()}"
        )

    def _create_interfaces(self) -> None:
        self._status = self.create_publisher(MappingStatus, "~/status", QoSProfile(depth=10))
        self._cloud = CloudPublisher(self)
        group = ReentrantCallbackGroup()
        self.create_service(SaveMap, "~/save_map", self._save_map, callback_group=group)
        self.create_service(SetBool, "~/collect", self._collect, callback_group=group)
        self.create_service(Trigger, "~/reset", self._reset, callback_group=group)
        self._diagnosing = Diagnosing(self, "mapping", self._diagnose)
        steady_timer(self, _POLL, self._poses.poll)
        steady_timer(self, _STATUS_PERIOD, self._publish_news)
        steady_timer(self, 1.0, self._look_after)

    def close(self) -> None:
        """Stop the worker thread."""
        if self.collector.counters.taken and self.outcome is None:
            # The logger's topic may be gone by now.
            print(f"{self.collector.counters.taken} frames were taken, and no map was built", file=sys.stderr)
        self.collector.close()

    # --- frames ---

    def _on_posed(self, frame: CameraFrame, map_from_camera: Matrix) -> None:
        if not self._collecting:
            return
        name = f"{self._images.image_topic} at {frame.stamp * 1e-9:.3f}"
        self.collector.offer(
            Candidate(name, frame.stamp, frame.camera, map_from_camera, lambda: decode(frame.message, frame.camera))
        )

    def _look_after(self) -> None:
        """Once a second: the QoS of what comes in, and builds that start by themselves."""
        self._images.look_after()
        self._poses.look_after()
        options, collector = self.options, self.collector
        taken = collector.counters.taken
        if collector.building or taken < FEWEST_FRAMES or taken == self._seen_outcome_frames:
            return
        idle = time.monotonic() - collector.last_taken
        enough = 0 < options.auto_build_frames <= taken - self._seen_outcome_frames
        if enough or 0 < options.auto_build_idle <= idle:
            self.get_logger().info(f"building the map by itself: {taken} frames, {idle:.0f} s since the last one")
            self.start_build("", 0, 0.0, lambda progress: None, lambda outcome: None)

    # --- builds ---

    def start_build(self, name: str, steps: int, seconds: float, on_progress, on_done) -> None:  # type: ignore[no-untyped-def]
        """Start a build; both callbacks come from the worker thread.

        Raises:
            InputError: the map name can't be used, or a build is under way.
        """
        if self.collector.building:
            raise InputError("a build is under way: wait for it, or cancel it")
        path = map_path(self.options.maps_dir, name or self.options.map_name)

        def override(usual: MapOptions) -> MapOptions:
            return replace(usual, steps=steps or usual.steps, seconds=seconds or usual.seconds)

        def progress(step: Progress) -> None:
            self.progress = step
            on_progress(step)

        def done(outcome: Outcome) -> None:
            self.progress, self.outcome = None, outcome
            self._last_map = outcome.scene_map or self._last_map
            if outcome.result in (Result.SUCCESS, Result.CANCELED):
                self.get_logger().info(outcome.message)
            else:
                self.get_logger().error(outcome.message)
            on_done(outcome)
            if outcome.scene_map is not None:
                self._show(outcome.scene_map)

        self._map_name = path.stem
        self._seen_outcome_frames = self.collector.counters.taken
        self.collector.build(path, override, progress, done)

    def _show(self, scene_map: SceneMap) -> None:
        """Publish what the map looks like: its landmarks at once, then what the mapping views are localized by."""
        self._cloud.publish_landmarks(scene_map, self.options.map_frame)

        def go_on() -> None:
            if self.collector.closing:
                raise Cancelled("the node is to end")

        weights = Path(self.options.encoder_weights).expanduser() if self.options.encoder_weights else None
        try:
            localizer = Localizer(scene_map, LocalizeOptions(encoder_weights=weights), self.options.device)
            cloud = map_cloud(localizer, self.collector.album.frames(), on_frame=go_on)
        except AceError as error:
            self.get_logger().info(f"the map was not coloured: {error}")
            return
        if len(cloud):
            self._cloud.publish(cloud.points, cloud.colours, self.options.map_frame)

    def _save_map(self, request: SaveMap.Request, response: SaveMap.Response) -> SaveMap.Response:
        if self._last_map is None:
            response.result = SaveMap.Response.RESULT_NO_MAP
            response.message = "no map was built yet: call ~/build_map"
            return response
        try:
            path = map_path(self.options.maps_dir, request.map_name)
        except InputError as error:
            response.result, response.message = SaveMap.Response.RESULT_INVALID_NAME, str(error)
            return response
        try:
            prepare_folder(path)
            response.map_bytes = self._last_map.save(path)
        except AceError as error:
            response.result, response.message = SaveMap.Response.RESULT_WRITE_FAILED, str(error)
            return response
        response.result, response.map_path = SaveMap.Response.RESULT_SUCCESS, str(path)
        response.message = f"the map is at {path}"
        return response

    def _collect(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._collecting = request.data
        response.success = True
        response.message = "taking frames" if request.data else "not taking frames"
        return response

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self.collector.building:
            response.message = "a build is under way: wait for it, or cancel it"
            return response
        response.message = f"{self.collector.counters.taken} frames forgotten"
        response.success = True
        self.collector.reset()
        self._forgotten = arrivals(self._images, self._poses)
        self._seen_outcome_frames = 0
        return response

    # --- reports ---

    def _advice(self) -> list[str]:
        arrived = self._arrived()
        intake = Intake(
            arrived["frames_received"],
            self._images.silence()[1],
            arrived["rejected_no_pose"],
            arrived["rejected_bad_pose"],
            self._poses.fault or self.collector.last_fault,
            time.monotonic() - self._started,
        )
        held_back = self._last_map.header.held_back if self._last_map else HeldBack()
        return advice(intake, self.collector.counters, self.collector.watch, held_back)

    def _state(self) -> tuple[int, str]:
        outcome, counters = self.outcome, self.collector.counters
        if self.collector.building:
            return MappingStatus.STATE_TRAINING, f"building the map of {counters.taken} frames"
        if outcome is not None and counters.taken == self._seen_outcome_frames:
            success = outcome.result is Result.SUCCESS
            return (MappingStatus.STATE_READY if success else MappingStatus.STATE_FAILED), outcome.message
        if not self._collecting:
            return MappingStatus.STATE_COLLECTING, "not taking frames: call ~/collect"
        return MappingStatus.STATE_COLLECTING, f"taking frames, {counters.taken} so far"

    def _publish_news(self) -> None:
        news = (self._state(), self._arrived(), vars(self.collector.counters), self.progress)
        if str(news) != self._told or time.monotonic() - self._told_time > _SILENCE:
            self._told, self._told_time = str(news), time.monotonic()
            self._status.publish(self._status_message())

    def _arrived(self) -> dict[str, int]:
        """Counts of what never got to the collector, since the start or the last reset."""
        return {
            name: value - self._forgotten.get(name, 0) for name, value in arrivals(self._images, self._poses).items()
        }

    def _status_message(self) -> MappingStatus:
        message = MappingStatus()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self.options.map_frame
        message.state, message.message = self._state()
        fill_counts(message, self.collector.counters, self._arrived())
        message.map_name = self._map_name
        fill_progress(message, self.progress)
        fill_held_back(message, self._last_map)
        message.advice = self._advice()
        return message

    def _diagnose(self, status: DiagnosticStatusWrapper) -> None:
        state, sentence = self._state()
        sentences = self._advice()
        if state == MappingStatus.STATE_FAILED:
            status.summary(DiagnosticStatus.ERROR, sentence)
        elif sentences:
            status.summary(DiagnosticStatus.WARN, " ".join(sentences))
        else:
            status.summary(DiagnosticStatus.OK, sentence)
        for name, value in (vars(self.collector.counters) | self._arrived()).items():
            status.add(name, str(value))


def map_options(options: MappingNodeOptions) -> MapOptions:
    """The library's options, as the node's parameters say."""
    usual = MapOptions()
    return replace(
        usual,
        steps=options.steps or usual.steps,
        seconds=options.seconds or usual.seconds,
        landmarks=usual.landmarks if options.landmarks < 0 else options.landmarks,
        encoder=options.encoder,
        encoder_weights=Path(options.encoder_weights).expanduser() if options.encoder_weights else None,
        seed=options.seed,
        device=options.device,
    )


def main() -> int:
    """Entry point."""
    return run(MappingNode)


if __name__ == "__main__":
    sys.exit(main())
