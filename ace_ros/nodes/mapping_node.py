"""mapping_node: posed camera frames in, a map file out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_srvs.srv import SetBool, Trigger

from ace_ros.errors import AceError, InputError, MappingError
from ace_ros.geometry import Matrix
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.workspace import Workspace
from ace_ros.msg import MappingStatus
from ace_ros.nodes import parameters
from ace_ros.nodes.build_action import BuildAction
from ace_ros.nodes.clock_jumps import on_clock_jump
from ace_ros.nodes.conversions import decode
from ace_ros.nodes.diagnosing import Diagnosing
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.growing_actions import AlignAction, ExtendAction
from ace_ros.nodes.image_input import CameraFrame, ImageInput
from ace_ros.nodes.map_cloud import CloudPublisher
from ace_ros.nodes.mapping_report import STATES, arrivals, fill_counts, fill_held_back, fill_places, fill_progress
from ace_ros.nodes.options import MAPPING_LIVE, MappingNodeOptions
from ace_ros.nodes.pose_input import PoseInput
from ace_ros.nodes.runtime import limit_threads, run, steady_timer
from ace_ros.nodes.supervised import Supervised
from ace_ros.online.building import Outcome, Result
from ace_ros.online.collecting import Candidate, Collector
from ace_ros.online.drive_store import DriveStore
from ace_ros.online.frame_slot import Arrival, ArrivalCheck
from ace_ros.online.keyframes import KeyframeOptions, KeyframePicker
from ace_ros.online.mapping_advice import Intake
from ace_ros.online.mapping_session import MappingSession, MappingState, SessionOptions
from ace_ros.online.maps_dir import map_path
from ace_ros.options import part
from ace_ros.srv import SaveMap

_QUEUE = 60  # images that DDS keeps while the executor is busy: all are wanted; set by hand
_POLL = 0.02  # s between two looks for the poses of images that wait; set by hand
_STATUS_PERIOD = 0.1  # s between two looks for news; set by hand
_SILENCE = 0.9  # s: the status comes at least once a second, as its message promises


class MappingNode(Supervised, Node):
    """See the package's documentation for topics, services and parameters."""

    def __init__(self) -> None:
        super().__init__("mapping_node")
        parameters.declare(self, MappingNodeOptions)
        self.options = options = parameters.read(self, MappingNodeOptions)
        parameters.guard(self, MappingNodeOptions, _refuse)
        session = part(SessionOptions, options)
        if not options.map_frame:
            raise InputError("parameter map_frame: give the frame of the poses, map or odom, say")
        limit_threads(options.threads)
        self._told, self._told_time = "", 0.0
        self._forgotten: dict[str, int] = {}  # counts at the last reset

        def new_mapper(workspace: Workspace | None = None) -> Mapper:
            return Mapper(part(MapOptions, options), options.map_frame, options.metric, workspace)

        def report(sentence: str) -> None:
            self._news.conditions([sentence])

        def told(sentence: str) -> None:
            self.get_logger().warning(sentence)

        self._picker = KeyframePicker(part(KeyframeOptions, options))
        self._collector = Collector(
            new_mapper,
            self._picker,
            options.queue_size,
            options.max_frames,
            report,
            options.metric,
            self.supervisor,
            DriveStore(
                map_path(options.maps_dir, options.map_name), new_mapper, told, options.resume,
                map_frame=options.map_frame, metric=options.metric,
            ),
        )  # fmt: skip
        self.session = MappingSession(self._collector, session, self._ended, options.autostart)
        self._tree = FrameTree(self, cache_seconds=max(10.0, 2 * options.tf_timeout))
        self._images = ImageInput(self, options, _QUEUE)
        self._arrivals = ArrivalCheck(max_age=0.0, max_rate=0.0)
        self._images.registerCallback(self._check_stamp)  # before the poses are asked for
        self._poses = PoseInput(self, self._images, self._tree, options, self._on_posed)
        self._jumps = on_clock_jump(self, self._restart)
        self._actions = BuildAction(self), AlignAction(self), ExtendAction(self)
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
        kept = self.session.close()
        if kept:  # the logger's topic may be gone by now
            print(f"frames that no map was built of are in {kept}: start again to build it", file=sys.stderr)
        elif self.session.forsaken:
            print(f"{self.session.forsaken} frames were taken, and no map was built", file=sys.stderr)

    # --- frames ---

    def _check_stamp(self, frame: CameraFrame) -> None:
        if self._arrivals.sort(frame.stamp, 0) is Arrival.RESTARTED:
            self._restart("stamps of the images went back")

    def _restart(self, why: str) -> None:
        """Time does not go on as it did: frames that were taken stay, what waits for its pose will not get it."""
        self.get_logger().warning(f"{why}: TF and poses of before are forgotten, the frames taken stay")
        self._arrivals.forget()
        self._tree.clear()
        self._images.forget()
        self._poses.forget()

    def _on_posed(self, frame: CameraFrame, map_from_camera: Matrix) -> None:
        name = f"{self._images.image_topic} at {frame.stamp * 1e-9:.3f}"
        self.session.offer(
            Candidate(
                name,
                frame.stamp,
                frame.camera,
                map_from_camera,
                lambda: decode(frame.message, frame.camera),
                len(frame.message.data),
            )
        )

    def _look_after(self) -> None:
        """Once a second: parameters, the QoS of what comes in, and builds that start by themselves."""
        options = parameters.read(self, MappingNodeOptions)
        if options != self.options:
            self.options = options
            self._picker.options = part(KeyframeOptions, options)
            self.session.use(part(SessionOptions, options))
            self.get_logger().info("other parameters from now on: keyframes and builds by themselves go by them")
        self._images.look_after()
        self._poses.look_after()
        if why := self.session.build_when_due():
            self.get_logger().info(why)

    # --- maps ---

    def _ended(self, outcome: Outcome) -> None:
        """At the end of a build or the like, in the collector's thread: say so, and show the map."""
        if outcome.result in (Result.SUCCESS, Result.CANCELED):  # on two lines: a call keeps its severity
            self.get_logger().info(outcome.message)
        else:
            self.get_logger().error(outcome.message)
        if outcome.scene_map is None:
            return
        self._cloud.publish_landmarks(outcome.scene_map, self.options.map_frame)
        if outcome.first:  # the one that replaces it will be coloured
            return
        weights = self.options.encoder_weights
        try:
            localizer = Localizer(outcome.scene_map, LocalizeOptions(encoder_weights=weights), self.options.device)
            self._cloud.publish_coloured(localizer, self._collector, self.options.map_frame)
        except AceError as error:
            self.get_logger().info(f"the map was not coloured: {error}")

    def _save_map(self, request: SaveMap.Request, response: SaveMap.Response) -> SaveMap.Response:
        try:
            path, response.map_bytes = self.session.save(request.map_name)
        except MappingError:
            response.result = SaveMap.Response.RESULT_NO_MAP
            response.message = "no map was built yet: call ~/build_map"
        except InputError as error:
            response.result, response.message = SaveMap.Response.RESULT_INVALID_NAME, str(error)
        except AceError as error:
            response.result, response.message = SaveMap.Response.RESULT_WRITE_FAILED, str(error)
        else:
            response.result, response.map_path = SaveMap.Response.RESULT_SUCCESS, str(path)
            response.message = f"the map is at {path}"
            self.get_logger().info(response.message)
        return response

    def _collect(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.session.collecting = request.data
        response.success = True
        response.message = "taking frames" if request.data else "not taking frames"
        return response

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.message = f"{self.session.reset()} frames forgotten"
        except InputError as error:
            response.message = str(error)
            return response
        response.success = True
        self.get_logger().info(response.message)
        self._forgotten = arrivals(self._images, self._poses)
        return response

    # --- reports ---

    def _advice(self) -> list[str]:
        arrived = self._arrived()
        return self.session.advice(
            Intake(
                images=arrived["frames_received"],
                silence=self._images.silence().sentence,
                no_pose=arrived["rejected_no_pose"],
                bad_pose=arrived["rejected_bad_pose"],
                pose_fault=self._poses.fault,
            )
        )

    def _publish_news(self) -> None:
        news = (self.session.state(), self._arrived(), vars(self.session.counters), self.session.progress)
        if str(news) != self._told or time.monotonic() - self._told_time > _SILENCE:
            self._told, self._told_time = str(news), time.monotonic()
            message = self._status_message()
            state, sentence = self.session.state()
            if state in (MappingState.COLLECTING, MappingState.TRAINING):  # the end of a build is told by itself
                self._news.state(f"{state.name.lower()}: {sentence}", True)
            self._news.conditions(message.advice)
            self._status.publish(message)

    def _arrived(self) -> dict[str, int]:
        """Counts of what never got to the collector, since the start or the last reset."""
        return {
            name: value - self._forgotten.get(name, 0) for name, value in arrivals(self._images, self._poses).items()
        }

    def _status_message(self) -> MappingStatus:
        message = MappingStatus()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self.options.map_frame
        state, message.message = self.session.state()
        message.state = STATES[state]
        fill_counts(message, self.session.counters, self._arrived())
        message.map_name, message.metric = self.session.map_name, self.options.metric
        fill_progress(message, self.session.progress)
        fill_places(message, self.session.progress, self._collector.places_ahead)
        message.first_map_path = str(self.session.first_map or "")
        fill_held_back(message, self.session.last_map)
        message.advice = self._advice()
        return message

    def _diagnose(self, status: DiagnosticStatusWrapper) -> None:
        state, sentence = self.session.state()
        sentences = self._advice()
        if defect := self.supervisor.fault():
            status.summary(DiagnosticStatus.ERROR, defect)
        elif state is MappingState.FAILED:
            status.summary(DiagnosticStatus.ERROR, sentence)
        elif sentences:
            status.summary(DiagnosticStatus.WARN, " ".join(sentences))
        else:
            status.summary(DiagnosticStatus.OK, sentence)
        status.add("defects", str(self.supervisor.count))
        for name, value in (vars(self.session.counters) | self._arrived()).items():
            status.add(name, str(value))


def _refuse(name: str) -> str:
    return "" if name in MAPPING_LIVE else f"{name} is taken at the start: restart the node"


def main() -> int:
    """Entry point."""
    return run(MappingNode)


if __name__ == "__main__":
    sys.exit(main())
