"""Small recordings as other systems write them, of the pictures and poses of ``scene_making``."""

import json

import cv2
import numpy as np
from scene_making import OPENGL, matrix_text, picture, pose, write_picture

from ace_ros.geometry import invert, quaternion_xyzw

START = 1_403_636_579_000_000_000  # ns
STEP = 1_000_000_000
MOUNT = pose(99)  # of a camera on a body


def numbers(matrix, w_first=False):
    """Position and quaternion."""
    x, y, z, w = quaternion_xyzw(matrix)
    turn = (w, x, y, z) if w_first else (x, y, z, w)
    return [*map(float, matrix[:3, 3]), *map(float, turn)]


def words(values):
    return " ".join(map(repr, map(float, values)))


def rows(matrix):
    return words(matrix[:3].ravel())


def euroc(folder, count=12, lines=lambda index, line: line):
    camera, truth = folder / "mav0/cam0", folder / "mav0/state_groundtruth_estimate0"
    images, poses = ["#timestamp [ns],filename"], ["#timestamp [ns], p_RS_R_x [m], ..., q_RS_w [], q_RS_x []"]
    for index in range(count):
        stamp = START + index * STEP
        write_picture(camera / "data" / f"{stamp}.png", picture(index)[..., 0])
        images.append(f"{stamp},{stamp}.png")
        body = pose(index) @ invert(MOUNT)
        poses.append(lines(index, ",".join([str(stamp), *map(repr, numbers(body, w_first=True)), "0", "0", "0"])))
    truth.mkdir(parents=True)
    (camera / "data.csv").write_text("\r\n".join(images) + "\r\n")
    (truth / "data.csv").write_text("\n".join(poses))
    data = ", ".join(map(repr, map(float, MOUNT.ravel())))
    (camera / "sensor.yaml").write_text(
        f"sensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n  data: [{data}]\nrate_hz: 20\nresolution: [64, 48]\n"
        "camera_model: pinhole\nintrinsics: [60.0, 61.0, 31.0, 23.5] #fu, fv, cu, cv\n"
        "distortion_model: radial-tangential\ndistortion_coefficients: [-0.1, 0.02, 0.001, 0.002]\n"
    )
    (truth / "sensor.yaml").write_text("T_BS:\n  cols: 4\n  rows: 4\n  data: [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1]\n")
    return folder


def kitti(folder, count=12, lines=lambda index, line: line):
    sequence = folder / "sequences/00"
    beside = np.eye(4)
    beside[0, 3] = 0.06  # camera 2 sits to the right of camera 0... of which P's fourth column is minus f times that
    poses = []
    for index in range(count):
        write_picture(sequence / "image_2" / f"{index:06d}.png", picture(index))
        poses.append(lines(index, rows(pose(index) @ invert(beside))))
    p0 = np.array([[60.0, 0, 31, 0], [0, 61, 23.5, 0], [0, 0, 1, 0]])
    p2 = p0 @ invert(beside)
    (sequence / "calib.txt").write_text("".join(f"P{i}: {words((p2 if i == 2 else p0).ravel())}\n" for i in range(4)))
    (sequence / "times.txt").write_text("\n".join(f"{index * 0.1:e}" for index in range(count)))
    (folder / "poses").mkdir()
    (folder / "poses/00.txt").write_text("\n".join(poses) + "\n")
    return folder


def seven_scenes(folder, count=12, sequences=2):
    for index in range(count):
        name = folder / f"seq-{1 + index * sequences // count:02d}" / f"frame-{index:06d}"
        write_picture(name.with_name(name.name + ".color.png"), picture(index))
        depth = np.full((48, 64), 1000, np.uint16)
        write_picture(name.with_name(name.name + ".depth.png"), depth)
        name.with_name(name.name + ".pose.txt").write_text(matrix_text(pose(index)).replace(" ", "\t "))
    (folder / "TrainSplit.txt").write_text("sequence1\n")
    (folder / "TestSplit.txt").write_text("sequence2\n")
    return folder


def polycam(folder, count=12):
    for index in range(count):
        write_picture(folder / "keyframes/images" / f"{1000 + index}.jpg", picture(index))
        file = folder / "keyframes/cameras" / f"{1000 + index}.json"
        file.parent.mkdir(exist_ok=True)
        matrix = pose(index) @ OPENGL
        values = {f"t_{row}{column}": float(matrix[row, column]) for row in range(3) for column in range(4)}
        values |= {"fx": 60.0, "fy": 61.0, "cx": 31.0, "cy": 23.5, "width": 64, "height": 48, "blur_score": 3.0}
        file.write_text(json.dumps(values))
    return folder


def record3d(folder, count=12):
    poses = []
    for index in range(count):
        write_picture(folder / "rgbd" / f"{index}.jpg", picture(index))
        *position, x, y, z, w = numbers(pose(index) @ OPENGL)
        poses.append([x, y, z, w, *position])
    values = {"w": 64, "h": 48, "K": [60.0, 0, 0, 0, 61.0, 0, 31.0, 23.5, 1], "fps": 30, "poses": poses}
    (folder / "metadata.json").write_text(json.dumps(values))
    return folder


def llff(folder, count=12, poses=lambda index: pose(index)):
    """Images whose numbers are not padded: a row of each in the order in which a computer sorts their names."""
    values = []
    for index in sorted(range(count), key=str):
        write_picture(folder / "images" / f"{index}.png", picture(index))
        right, down, forward, position = poses(index)[:3].T
        size = [48.0, 64.0, 60.0]
        values.append([*np.stack([down, right, -forward, position, size], axis=1).ravel(), 0.5, 9.0])
    np.save(folder / "poses_bounds.npy", np.array(values))
    return folder


def gaussian_splatting(folder, count=12):
    cameras = []
    for index in range(count):
        write_picture(folder / "images" / f"{index:02d}.png", picture(index))
        matrix = pose(index)
        placed = {"position": matrix[:3, 3].tolist(), "rotation": matrix[:3, :3].tolist()}
        camera = {"id": index, "img_name": f"{index:02d}", "width": 64, "height": 48, "fx": 60.0, "fy": 61.0}
        cameras.append(camera | placed)
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return folder


def rtabmap(folder, count=12, of_camera=False):
    calibration = (
        "%YAML:1.0\n---\ncamera_name: cam\nimage_width: 64\nimage_height: 48\ncamera_matrix:\n   rows: 3\n   cols: 3\n"
        f"   data: [ 60., 0., 31., 0., 61., 23.5, 0., 0., 1. ]\nlocal_transform:\n   rows: 3\n   cols: 4\n"
        f"   data: [ {', '.join(map(repr, map(float, MOUNT[:3].ravel())))} ]\n"
    )
    lines = ["#timestamp x y z qx qy qz qw id"]
    for index in range(count):
        write_picture(folder / "house_rgb" / f"{index + 1}.jpg", picture(index))
        (folder / "house_calib").mkdir(exist_ok=True)
        (folder / "house_calib" / f"{index + 1}.yaml").write_text(calibration)
        matrix = pose(index) if of_camera else pose(index) @ invert(MOUNT)
        lines.append(f"{1_600_000_000 + index}.250000 {words(numbers(matrix))} {index + 1}")
    (folder / f"house_{'camera_' * of_camera}poses.txt").write_text("\n".join(lines))
    return folder


def trajectory(folder, count=12, name="CameraTrajectory.txt", lines=None, named=lambda stamp: str(stamp)):
    """Images named by nanoseconds, a trajectory in seconds, and settings of ORB-SLAM."""
    written = []
    for index in range(count):
        stamp = START + index * STEP
        write_picture(folder / "images" / f"{named(stamp)}.png", picture(index))
        line = f"{stamp // 10**9}.{stamp % 10**9:09d} {words(numbers(pose(index)))}"
        written.append(line if lines is None else lines(index, stamp))
    (folder / name).write_text("\n".join(written) + "\n")
    (folder / "camera.yaml").write_text(
        "%YAML:1.0\n\nCamera1.fx: 60.0\nCamera1.fy: 61.0\nCamera1.cx: 31.0\nCamera1.cy: 23.5\nCamera.width: 64\n"
        "Camera.height: 48\n"
    )
    return folder


def video(path, count=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    assert writer.isOpened()
    for index in range(count):
        writer.write(picture(index)[..., ::-1])
    writer.release()
    lines = [f"{1000 + index * 0.1:.3f} {words(numbers(pose(index)))}" for index in range(count)]
    path.with_name("poses.txt").write_text("\n".join(lines))
    (path.parent / "camera.txt").write_text("60 61 31 23.5")
    return path


def scannet(folder, count=12):
    """Numbers without zeros before them; of one frame the camera was lost."""
    for index in range(count):
        write_picture(folder / "color" / f"{index}.jpg", picture(index))
        write_picture(folder / "depth" / f"{index}.png", np.full((48, 64), 1000, np.uint16))
        (folder / "pose").mkdir(exist_ok=True)
        (folder / "pose" / f"{index}.txt").write_text(matrix_text(pose(index)) + "\n")
    (folder / "intrinsic").mkdir()
    for kind, focal in (("color", 60.0), ("depth", 50.0)):
        matrix = np.eye(4)
        matrix[0, 0], matrix[1, 1], matrix[:2, 2] = focal, focal + 1, (31.0, 23.5)
        (folder / "intrinsic" / f"intrinsic_{kind}.txt").write_text(matrix_text(matrix))
    return folder


def cambridge(folder, count=12):
    """The first images are the queries; in the model they are called .jpg."""
    lists = {"test": [], "train": []}
    cameras = []
    for index in range(count):
        name = f"seq{1 + index // 6}/frame{index % 6 + 1:05d}"
        write_picture(folder / f"{name}.png", picture(index))
        matrix = pose(index)
        quaternion = words(numbers(invert(matrix), w_first=True)[3:])
        lists["test" if index < 3 else "train"].append(f"{name}.png {words(matrix[:3, 3])} {quaternion}")
        cameras.append(f"{name}.jpg\t{60 + index} {quaternion} {words(matrix[:3, 3])} 0.01 0")
    for name, lines in lists.items():
        head = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
        (folder / f"dataset_{name}.txt").write_text(head + "\n".join(lines) + "\n")
    (folder / "reconstruction.nvm").write_text(f"NVM_V3 \n\n{count}\n" + "\n".join(cameras) + "\n\n0\n")
    return folder


def twelve_scenes(folder, count=12):
    for index in range(count):
        name = folder / "data" / f"frame-{index:06d}"
        write_picture(name.with_name(name.name + ".color.jpg"), picture(index))
        write_picture(name.with_name(name.name + ".depth.png"), np.full((24, 32), 1000, np.uint16))
        name.with_name(name.name + ".pose.txt").write_text(matrix_text(pose(index)))
    (folder / "info.txt").write_text(
        "m_versionNumber = 4\nm_sensorName = Structure\nm_colorWidth = 64\nm_colorHeight = 48\nm_depthWidth = 32\n"
        "m_calibrationColorIntrinsic = 60 0 31 0 0 61 23.5 0 0 0 1 0 0 0 0 1 \n"
        "m_calibrationDepthIntrinsic = 50 0 16 0 0 50 12 0 0 0 1 0 0 0 0 1 \nm_frames.size = 12\n"
    )
    return folder


def replica(folder, count=12):
    for index in range(count):
        write_picture(folder / "room0/results" / f"frame{index:06d}.jpg", picture(index))
        write_picture(folder / "room0/results" / f"depth{index:06d}.png", np.full((48, 64), 1000, np.uint16))
    (folder / "room0/traj.txt").write_text("\n".join(words(pose(index).ravel()) for index in range(count)))
    camera = {"w": 64, "h": 48, "fx": 60.0, "fy": 61.0, "cx": 31.0, "cy": 23.5, "scale": 6553.5}
    (folder / "cam_params.json").write_text(json.dumps({"camera": camera}))
    return folder / "room0"
