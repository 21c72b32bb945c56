"""Your own SLAM, your own middleware, no ROS: map a room while you drive, then know where you are while you drive.

    python examples/04_from_your_slam.py

It runs as it stands, in a generated room, in less than a minute; in your robot the images come from a camera, the poses
of the first drive from your SLAM, the odometry of the second from your wheels.
"""

import queue
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ace_ros.generated import make_room
from ace_ros.geometry import invert, pose_error
from ace_ros.localization.localizer import Localizer
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.online.building import build_map
from ace_ros.online.collecting import Candidate, Collector
from ace_ros.online.keyframes import KeyframeOptions, KeyframePicker
from ace_ros.online.localizing import OnlineLocalizer
from ace_ros.online.motion import Correction
from ace_ros.online.robot import MissingTransform
from ace_ros.recordings import open_recording

# The camera sits 0.2 m in front of the robot's centre and 0.4 m above it, and looks ahead (z of a camera is forward).
BASE_FROM_CAMERA = np.array([[0.0, 0, 1, 0.2], [-1, 0, 0, 0], [0, -1, 0, 0.4], [0, 0, 0, 1]])
LIFTED, PUT_DOWN = 12, 20  # before its 13th frame the robot is carried to where frame 20 was taken


class Rover:
    """What the rest of your robot knows; ``wait`` is how long (s) you may take to come to know it."""

    def __init__(self):
        self.odometry = {-1: np.eye(4)}  # odom_from_base by stamp

    def base_from_camera(self, camera, stamp, wait):
        return BASE_FROM_CAMERA

    def odom_from_base(self, stamp, wait):
        if stamp not in self.odometry:
            raise MissingTransform("the wheels told nothing about that time")
        return self.odometry[stamp]

    def newest_odometry(self):
        return self.odometry[max(self.odometry)], max(self.odometry)

    def roll(self, stamp, step):
        """The wheels turn: they take the way for 2 % longer, and lose their direction by 1 degree a metre."""
        drift = np.eye(4)
        drift[:3, :3] = Rotation.from_euler("z", np.linalg.norm(step[:3, 3]), degrees=True).as_matrix()
        drift[:3, 3] = 0.02 * step[:3, 3]
        self.odometry[stamp] = self.newest_odometry()[0] @ step @ drift


def map_the_room(recording, path):
    """The first drive: all frames are offered, and another thread encodes the keyframes among them at once."""
    keyframes = KeyframePicker(KeyframeOptions(min_translation=0.2, min_rotation=10.0))  # m, degrees: few, to be quick
    collector = Collector(lambda: Mapper(MapOptions(steps=200)), keyframes, queue_size=100, max_frames=0, report=print)
    for frame in recording.frames:
        collector.offer(Candidate(frame.name, frame.stamp, frame.camera, frame.map_from_camera, frame.read))
    built = queue.Queue()
    collector.work(lambda mapper, cancelled: build_map(mapper, path), built.put)
    outcome = built.get()
    collector.close()
    print(f"{collector.counters.taken} of {len(recording.frames)} frames were worth mapping. {outcome.message}")
    return outcome.scene_map


def drive_through_it(recording, scene_map):
    """The second drive: an image and its time in; out comes a pose to rely on, or the reason why there is none."""
    rover, correction, map_from_odom, errors = Rover(), Correction(), np.eye(4), []
    online = OnlineLocalizer(Localizer(scene_map), rover)
    frames = recording.frames[:LIFTED] + recording.frames[PUT_DOWN:]
    places = [frame.map_from_camera @ invert(BASE_FROM_CAMERA) for frame in frames]  # of the robot: the truth
    for number, (frame, place) in enumerate(zip(frames, places, strict=True)):
        still = number in (0, LIFTED)  # who is carried does not turn the wheels
        rover.roll(frame.stamp, np.eye(4) if still else invert(places[number - 1]) @ place)
        answer = online.localize(frame.read(), frame.camera, frame.stamp)
        if answer.placed is None:  # nothing to rely on: map <- odom stays as it is
            print(f"{number:3d} {answer.state.name}, {answer.fault.reason.name}: {answer.fault.sentence}")
            continue
        odom_from_base, before = rover.odom_from_base(frame.stamp, 0.0), map_from_odom
        correction.measured(answer.placed.map_from_odom, answer.placed.jump)
        map_from_odom = correction.step(0.03, odom_from_base)  # this is what your navigation wants
        metres, degrees = pose_error(map_from_odom @ odom_from_base, place)
        moved, _ = pose_error(map_from_odom @ odom_from_base, before @ odom_from_base)
        print(f"{number:3d} {answer.state.name}, {100 * metres:.1f} cm and {degrees:.2f} degrees off; ", end="")
        print(f"map <- odom moved the robot by {100 * moved:.1f} cm" + answer.kidnapped * ": it was KIDNAPPED")
        errors.append(metres)
    print(f"{len(errors)} of {len(frames)} frames localized, half of them within {100 * np.median(errors):.1f} cm")


with tempfile.TemporaryDirectory() as folder:
    room = make_room(Path(folder) / "room", train=80, test=34, size=(400, 300))
    scene_map = map_the_room(open_recording(room, "train"), Path(folder) / "room.safetensors")
    drive_through_it(open_recording(room, "test"), scene_map)
