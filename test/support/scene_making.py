"""Small scenes in the layouts that are read, and bags message by message."""

from __future__ import annotations

import json

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.geometry import invert, quaternion_xyzw
from ace_ros.recordings import BagOptions, SplitOptions, open_recording

CAMERA = Camera(64, 48, 60.0, 61.0, 31.0, 23.5, (0.1, -0.05, 0.001, 0.002, 0.0))
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
SECOND = 10**9
START = 1_700_000_000 * SECOND


def pose(index=0, seed=7):
    """A rigid transform that has no symmetry."""
    random = np.random.default_rng(seed + index)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(random.normal(size=3)).as_matrix()
    matrix[:3, 3] = random.normal(size=3) * 3
    return matrix


def picture(index=0, width=64, height=48):
    """Smooth colours that tell the images, their corners and their channels apart."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 20 * index % 256)], axis=-1)
    return image.astype(np.uint8)


def write_picture(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image if image.ndim == 2 else image[..., ::-1])


def ace_scene(folder, count=4, calibration="60.0", suffix=".png"):
    for index in range(count):
        write_picture(folder / "rgb" / f"frame-{index:06d}.color{suffix}", picture(index))
        for kind, text in (("pose", matrix_text(pose(index))), ("calibration", calibration)):
            file = folder / ("poses" if kind == "pose" else kind) / f"frame-{index:06d}.{kind}.txt"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
    return folder


def matrix_text(matrix):
    return "\n".join(" ".join(map(repr, map(float, row))) for row in matrix)


def nerfstudio_scene(
    folder, count=10, frame_values=lambda index: {}, path=lambda index: f"images/{index}.png", **shared
):
    frames = []
    for index in range(count):
        write_picture(folder / "images" / f"{index}.png", picture(index))
        matrix = (pose(index) @ OPENGL).tolist()
        frames.append({"file_path": path(index), "transform_matrix": matrix, **frame_values(index)})
    (folder / "transforms.json").write_text(json.dumps({**shared, "frames": frames}))
    return folder


def colmap_scene(folder, camera="1 PINHOLE 64 48 60 61 31.5 24", names=("a.png", "b c.png"), model="sparse/0"):
    (folder / model).mkdir(parents=True)
    (folder / model / "cameras.txt").write_text(f"# cameras\n{camera}\n")
    lines = ["# images"]
    for index, name in enumerate(names):
        write_picture(folder / "images" / name, picture(index))
        camera_from_map = invert(pose(index))
        x, y, z, w = quaternion_xyzw(camera_from_map)
        numbers = " ".join(map(repr, map(float, (w, x, y, z, *camera_from_map[:3, 3]))))
        lines += [f"{index + 1} {numbers} 1 {name}", "1.5 2.5 -1 3.5 4.5 12" if index % 2 else ""]
    (folder / model / "images.txt").write_text("\n".join(lines) + "\n")
    return folder


def assert_same_poses(frames, indices):
    for frame, index in zip(frames, indices, strict=True):
        np.testing.assert_allclose(frame.map_from_camera, pose(index), atol=1e-9)


def open_all(path, **values):
    return open_recording(path, "all", SplitOptions(bag=BagOptions(**values)))


class BagMaker:
    """Writes a bag message by message; stamps in ns, also the time of recording unless that is given."""

    def __init__(self, path, storage="mcap"):
        plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
        self._writer = Writer(path, version=8, storage_plugin=plugin)
        self._store = get_typestore(Stores.LATEST)
        self._connections = {}

    def __enter__(self):
        self._writer.open()
        return self

    def __exit__(self, *_):
        self._writer.close()

    def new(self, kind, **fields):
        return self._store.types[kind](**fields)

    def put(self, topic, kind, log_time, **fields):
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self._store)
        data = self._store.serialize_cdr(self.new(kind, **fields), kind)
        self._writer.write(self._connections[topic], log_time, data)

    def header(self, stamp, frame):
        time = self.new("builtin_interfaces/msg/Time", sec=stamp // SECOND, nanosec=stamp % SECOND)
        return self.new("std_msgs/msg/Header", stamp=time, frame_id=frame)

    def compressed(
        self, stamp, index=0, topic="/camera/image_raw/compressed", frame="camera", data=None, log_time=None
    ):
        if data is None:
            data = cv2.imencode(".png", picture(index)[..., ::-1])[1].tobytes()
        pixels = np.frombuffer(data, np.uint8)
        header = self.header(stamp, frame)
        self.put(topic, "sensor_msgs/msg/CompressedImage", log_time or stamp, header=header, format="png", data=pixels)

    def raw(self, stamp, pixels, encoding, topic="/camera/image_raw", frame="camera", padding=0, big=0):
        rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
        rows = np.pad(rows, ((0, 0), (0, padding)))
        height, width = pixels.shape[:2]
        self.put(
            topic, "sensor_msgs/msg/Image", stamp, header=self.header(stamp, frame), height=height, width=width,
            encoding=encoding, is_bigendian=big, step=rows.shape[1], data=rows.ravel(),
        )  # fmt: skip

    def info(self, stamp, camera=CAMERA, topic="/camera/camera_info", frame="camera", k=None, model="plumb_bob"):
        roi = self.new("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        matrix = camera.matrix if k is None else k
        self.put(
            topic, "sensor_msgs/msg/CameraInfo", stamp, header=self.header(stamp, frame), height=camera.height,
            width=camera.width, distortion_model=model, d=np.array(camera.distortion), k=matrix.ravel(),
            r=np.eye(3).ravel(), p=np.hstack([matrix * 2, np.zeros((3, 1))]).ravel(), binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip

    def _pose(self, matrix):
        p, q = matrix[:3, 3], quaternion_xyzw(matrix)
        return self.new(
            "geometry_msgs/msg/Pose",
            position=self.new("geometry_msgs/msg/Point", x=float(p[0]), y=float(p[1]), z=float(p[2])),
            orientation=self.new("geometry_msgs/msg/Quaternion", **dict(zip("xyzw", map(float, q), strict=True))),
        )

    def pose(self, stamp, matrix, topic="/pose", frame="map"):
        header = self.header(stamp, frame)
        self.put(topic, "geometry_msgs/msg/PoseStamped", stamp, header=header, pose=self._pose(matrix))

    def pose_with_covariance(self, stamp, matrix, topic="/amcl_pose", frame="map"):
        inner = self.new("geometry_msgs/msg/PoseWithCovariance", pose=self._pose(matrix), covariance=np.zeros(36))
        kind = "geometry_msgs/msg/PoseWithCovarianceStamped"
        self.put(topic, kind, stamp, header=self.header(stamp, frame), pose=inner)

    def odometry(self, stamp, matrix, topic="/odom", frame="odom", child="base_link"):
        zero = self.new("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        twist = self.new("geometry_msgs/msg/Twist", linear=zero, angular=zero)
        self.put(
            topic, "nav_msgs/msg/Odometry", stamp, header=self.header(stamp, frame), child_frame_id=child,
            pose=self.new("geometry_msgs/msg/PoseWithCovariance", pose=self._pose(matrix), covariance=np.zeros(36)),
            twist=self.new("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=np.zeros(36)),
        )  # fmt: skip

    def tf(self, stamp, parent, child, matrix, static=False):
        pose = self._pose(matrix)
        p = pose.position
        transform = self.new(
            "geometry_msgs/msg/Transform",
            translation=self.new("geometry_msgs/msg/Vector3", x=p.x, y=p.y, z=p.z),
            rotation=pose.orientation,
        )
        item = self.new(
            "geometry_msgs/msg/TransformStamped",
            header=self.header(stamp, parent), child_frame_id=child, transform=transform,
        )  # fmt: skip
        self.put("/tf_static" if static else "/tf", "tf2_msgs/msg/TFMessage", stamp, transforms=[item])


STAMPS = [START + index * SECOND // 10 for index in range(8)]


def camera_messages(bag, stamps=STAMPS, **values):
    """An image and a CameraInfo at each stamp."""
    for index, stamp in enumerate(stamps):
        bag.info(stamp, **values)
        bag.compressed(stamp, index)
