"""One bad frame never costs the recording: any one frame of each layout, damaged in any way, is left out and told."""

import json
import os
import shutil
import struct

import cv2
import layout_making as making
import numpy as np
import pytest
from ace_command import ace_here
from scene_making import (
    CAMERA,
    OPENGL,
    SECOND,
    START,
    BagMaker,
    ace_scene,
    colmap_scene,
    nerfstudio_scene,
    picture,
    pose,
    write_picture,
)

from ace_ros.errors import InputError
from ace_ros.generated import make_room
from ace_ros.geometry import invert, quaternion_xyzw
from ace_ros.recordings import SplitOptions, open_recording
from ace_ros.recordings.prefetch import prefetched

COUNT = 12
NAN = float("nan")
ROOT = np.random.default_rng(5)

POSES = {
    "nan": lambda matrix: matrix * NAN,
    "infinite": lambda matrix: np.where(np.eye(4, k=3) > 0, np.inf, matrix),
    "zeros": lambda matrix: matrix * 0,
    "scaled": lambda matrix: matrix @ np.diag([2.0, 2, 2, 1]),
    "mirrored": lambda matrix: matrix @ np.diag([1.0, 1, -1, 1]),
}
QUATERNIONS = {
    "nan": lambda numbers: [NAN, *numbers[1:]],
    "zero quaternion": lambda numbers: [*numbers[:3], 0.0, 0.0, 0.0, 0.0],
    "zero pose": lambda numbers: [0.0] * 7,
    "not of unit length": lambda numbers: [*numbers[:3], *(2 * value for value in numbers[3:])],
}
IMAGES = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "no image": lambda content: b"a letter",
    "of another size": lambda content: cv2.imencode(".png", picture(0, 40, 48))[1].tobytes(),
}


def damaged_image(path, damage):
    content = IMAGES[damage](path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def ace(folder, bad, damage):
    ace_scene(folder, COUNT)
    file = folder / "poses" / f"frame-{bad:06d}.pose.txt"
    if damage in POSES:
        np.savetxt(file, POSES[damage](pose(bad)))
    elif damage == "windows":
        file.write_text(file.read_text().replace("0.0", "-1.#IND"))
    elif damage == "short":
        file.write_text(" ".join(file.read_text().split()[:-1]))
    elif damage == "calibration":
        (folder / "calibration" / f"frame-{bad:06d}.calibration.txt").write_text("0")
    else:
        damaged_image(folder / "rgb" / f"frame-{bad:06d}.color.png", damage)
    return f"frame-{bad:06d}"


def nerfstudio(folder, bad, damage):
    nerfstudio_scene(folder, COUNT, fl_x=60.0, w=64, h=48)
    file = folder / "transforms.json"
    content = json.loads(file.read_text())
    frame = content["frames"][bad]
    if damage in POSES:
        frame["transform_matrix"] = (POSES[damage](pose(bad)) @ OPENGL).tolist()
    elif damage == "short":
        frame["transform_matrix"][0].pop()
    elif damage == "text":
        frame["transform_matrix"] = "none"
    elif damage == "focal":
        frame["fl_x"] = -1.0
    else:
        damaged_image(folder / "images" / f"{bad}.png", damage)
    file.write_text(json.dumps(content))
    return f"images/{bad}.png"


def colmap(folder, bad, damage):
    names = [f"{index}.png" for index in range(COUNT)]
    colmap_scene(folder, names=names)
    file = folder / "sparse/0/images.txt"
    lines = file.read_text().splitlines()
    at = 1 + 2 * bad
    words = lines[at].split()
    if damage in QUATERNIONS:
        w, x, y, z, *translation = map(float, words[1:8])
        *translation, x, y, z, w = QUATERNIONS[damage]([*translation, x, y, z, w])
        words[1:8] = map(str, (w, x, y, z, *translation))
    elif damage == "windows":
        words[2] = "-1.#IND"
    elif damage == "short":
        words.pop(3)
    elif damage == "camera":
        words[8] = "7"
    else:
        damaged_image(folder / "images" / names[bad], damage)
    lines[at] = " ".join(words)
    file.write_text("\n".join(lines) + "\n")
    return f"line {at + 1}" if damage == "short" else f"/{bad}.png"


def colmap_binary(folder, bad, damage):
    (folder / "sparse/0").mkdir(parents=True)
    (folder / "sparse/0/cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 1, 1, 64, 48, 60, 61, 31.5, 24))
    content = struct.pack("<Q", COUNT)
    for index in range(COUNT):
        write_picture(folder / "images" / f"{index}.png", picture(index))
        camera_from_map = invert(pose(index))
        numbers = [*camera_from_map[:3, 3], *quaternion_xyzw(camera_from_map)]
        if index == bad and damage in QUATERNIONS:
            numbers = QUATERNIONS[damage](numbers)
        *translation, x, y, z, w = numbers
        content += struct.pack("<i7di", index, w, x, y, z, *translation, 1) + f"{index}.png".encode() + b"\0"
        content += struct.pack("<Q", 0)
    (folder / "sparse/0/images.bin").write_bytes(content)
    if damage in IMAGES:
        damaged_image(folder / "images" / f"{bad}.png", damage)
    return f"/{bad}.png"


def tum(folder, bad, damage):
    """Poses a second apart: none is near enough to stand in for its neighbour."""
    rgb, truth = [], []
    for index in range(COUNT):
        write_picture(folder / "rgb" / f"{index}.png", picture(index))
        numbers = [*pose(index)[:3, 3], *quaternion_xyzw(pose(index))]
        if index == bad and damage in QUATERNIONS:
            numbers = QUATERNIONS[damage](numbers)
        line = f"{1000 + index}.5 " + " ".join(map(str, numbers))
        if index == bad and damage == "short":
            line = line.rsplit(" ", 1)[0]
        if index == bad and damage == "windows":
            line = line.rsplit(" ", 1)[0] + " -1.#IND"
        if index == bad and damage == "time":
            line = "noon " + line.split(" ", 1)[1]
        rgb.append(f"{1000 + index}.5 rgb/{index}.png")
        truth.append(line)
    (folder / "rgb.txt").write_text("\n".join(rgb))
    (folder / "groundtruth.txt").write_text("# timestamp tx ty tz qx qy qz qw\n" + "\n".join(truth))
    (folder / "calibration.txt").write_text("60 61 31 23.5")
    if damage in IMAGES:
        damaged_image(folder / "rgb" / f"{bad}.png", damage)
    return f"rgb/{bad}.png"


def rosbag(folder, bad, damage):
    with BagMaker(folder) as bag:
        whole = bag._pose
        for index in range(COUNT):
            stamp = START + index * SECOND
            bag.info(stamp, CAMERA)
            content = cv2.imencode(".png", picture(index))[1].tobytes()
            hurt = index == bad
            if hurt and damage == "0x0":
                bag.compressed(stamp, data=b"")
            elif not (hurt and damage == "missing"):
                bag.compressed(stamp, data=IMAGES[damage](content) if hurt and damage in IMAGES else content)
            if hurt and damage in QUATERNIONS:
                numbers = QUATERNIONS[damage]([*pose(index)[:3, 3], *quaternion_xyzw(pose(index))])
                point = bag.new("geometry_msgs/msg/Point", **dict(zip("xyz", map(float, numbers), strict=False)))
                turn = dict(zip("xyzw", map(float, numbers[3:]), strict=True))
                quaternion = bag.new("geometry_msgs/msg/Quaternion", **turn)
                message = bag.new("geometry_msgs/msg/Pose", position=point, orientation=quaternion)
                bag._pose = lambda _, message=message: message
            bag.pose(stamp, pose(index))
            bag._pose = whole
    return f"/{START // SECOND + bad}."


def euroc(folder, bad, damage):
    def line(index, text):
        if index != bad or damage in IMAGES:
            return text
        words = text.split(",")
        if damage == "short":
            return ",".join(words[:7])
        x, y, z, w, *turn = map(float, words[1:8])
        x, y, z, *turn, w = QUATERNIONS[damage]([x, y, z, *turn, w])
        return ",".join([words[0], *map(str, (x, y, z, w, *turn))])

    making.euroc(folder, COUNT, line)
    stamp = making.START + bad * making.STEP
    if damage in IMAGES:
        damaged_image(folder / "mav0/cam0/data" / f"{stamp}.png", damage)
    return f"/{stamp}.png"


def kitti(folder, bad, damage):
    def line(index, text):
        if index == bad and damage in POSES:
            return making.rows(POSES[damage](pose(index)))
        return text.rsplit(" ", 1)[0] if index == bad and damage == "short" else text

    making.kitti(folder, COUNT, line)
    if damage in IMAGES:
        damaged_image(folder / "sequences/00/image_2" / f"{bad:06d}.png", damage)
    return f"/{bad:06d}.png"


def seven_scenes(folder, bad, damage):
    making.seven_scenes(folder, COUNT, sequences=1)
    file = folder / "seq-01" / f"frame-{bad:06d}.pose.txt"
    if damage in POSES:
        np.savetxt(file, POSES[damage](pose(bad)))
    else:
        damaged_image(folder / "seq-01" / f"frame-{bad:06d}.color.png", damage)
    return f"/frame-{bad:06d}.color.png"


def scannet(folder, bad, damage):
    making.scannet(folder, COUNT)
    file = folder / "pose" / f"{bad}.txt"
    if damage in POSES:
        np.savetxt(file, POSES[damage](pose(bad)))
    elif damage == "lost":
        file.write_text("-inf -inf -inf -inf\n" * 4)
    else:
        damaged_image(folder / "color" / f"{bad}.jpg", damage)
    return f"/{bad}.jpg"


def cambridge(folder, bad, damage):
    making.cambridge(folder, COUNT)
    name = f"seq{1 + bad // 6}/frame{bad % 6 + 1:05d}"
    file, model = folder / f"dataset_{'test' if bad < 3 else 'train'}.txt", folder / "reconstruction.nvm"
    line = next(line for line in file.read_text().splitlines() if line.startswith(f"{name}.png"))
    words = line.split()
    x, y, z, *quaternion = map(float, words[1:])
    if damage in QUATERNIONS:
        w, *vector = quaternion
        *position, i, j, k, w = QUATERNIONS[damage]([x, y, z, *vector, w])
        words[1:] = map(str, (*position, w, i, j, k))
    elif damage == "short":
        words.pop()
    elif damage == "focal":
        model.write_text(model.read_text().replace(f"{name}.jpg\t{60 + bad} ", f"{name}.jpg\t0 "))
    else:
        damaged_image(folder / f"{name}.png", damage)
    file.write_text(file.read_text().replace(line, " ".join(words)))
    return f"/{name}.png"


def polycam(folder, bad, damage):
    making.polycam(folder, COUNT)
    file = folder / "keyframes/cameras" / f"{1000 + bad}.json"
    if damage == "text":
        file.write_text(file.read_text()[:-20])
    elif damage in IMAGES:
        damaged_image(folder / "keyframes/images" / f"{1000 + bad}.jpg", damage)
    else:
        values = json.loads(file.read_text())
        matrix = POSES[damage](pose(bad)) @ OPENGL
        values |= {f"t_{row}{column}": float(matrix[row, column]) for row in range(3) for column in range(4)}
        file.write_text(json.dumps(values))
    return f"/{1000 + bad}.jpg"


def record3d(folder, bad, damage):
    making.record3d(folder, COUNT)
    file = folder / "metadata.json"
    if damage in IMAGES:
        damaged_image(folder / "rgbd" / f"{bad}.jpg", damage)
        return f"/{bad}.jpg"
    values = json.loads(file.read_text())
    x, y, z, w, *position = values["poses"][bad]
    *position, x, y, z, w = QUATERNIONS[damage]([*position, x, y, z, w])
    values["poses"][bad] = [x, y, z, w, *position]
    file.write_text(json.dumps(values))
    return f"/{bad}.jpg"


def llff(folder, bad, damage):
    damaged = POSES.get(damage, lambda matrix: matrix)
    making.llff(folder, COUNT, lambda index: damaged(pose(index)) if index == bad else pose(index))
    if damage in IMAGES:
        damaged_image(folder / "images" / f"{bad}.png", damage)
    elif damage == "focal":
        values = np.load(folder / "poses_bounds.npy")
        values[sorted(range(COUNT), key=str).index(bad), 14] = 0.0
        np.save(folder / "poses_bounds.npy", values)
    return f"/{bad}.png"


def gaussian_splatting(folder, bad, damage):
    making.gaussian_splatting(folder, COUNT)
    file = folder / "cameras.json"
    cameras = json.loads(file.read_text())
    if damage in POSES:
        matrix = POSES[damage](pose(bad))
        cameras[bad] |= {"position": matrix[:3, 3].tolist(), "rotation": matrix[:3, :3].tolist()}
    elif damage == "focal":
        cameras[bad]["fx"] = None
    elif damage == "short":
        cameras[bad]["rotation"].pop()
    else:
        damaged_image(folder / "images" / f"{bad:02d}.png", damage)
    file.write_text(json.dumps(cameras))
    return f"/{bad:02d}"


def rtabmap(folder, bad, damage):
    making.rtabmap(folder, COUNT)
    if damage == "calibration":
        (folder / "house_calib" / f"{bad + 1}.yaml").write_text("%YAML:1.0\n---\nnothing: 0\n")
    elif damage in IMAGES:
        damaged_image(folder / "house_rgb" / f"{bad + 1}.jpg", damage)
    else:
        file = folder / "house_poses.txt"
        lines = file.read_text().splitlines()
        words = lines[bad + 1].split()
        words[1:8] = map(str, QUATERNIONS[damage](list(map(float, words[1:8]))))
        lines[bad + 1] = " ".join(words)
        file.write_text("\n".join(lines))
    return f"/{bad + 1}.jpg"


def trajectory(folder, bad, damage):
    def line(index, stamp):
        values = making.numbers(pose(index))
        if index == bad and damage in QUATERNIONS:
            values = QUATERNIONS[damage](values)
        return f"{stamp} {' '.join(map(str, values[: 6 if index == bad and damage == 'short' else 7]))}"

    making.trajectory(folder, COUNT, lines=line)
    stamp = making.START + bad * making.STEP
    if damage in IMAGES:
        damaged_image(folder / "images" / f"{stamp}.png", damage)
    return f"/{stamp}.png"


BOTH = [*QUATERNIONS, *IMAGES]
CASES = [
    *((ace, damage) for damage in (*POSES, *IMAGES, "windows", "short", "calibration")),
    *((nerfstudio, damage) for damage in (*POSES, *IMAGES, "short", "text", "focal")),
    *((colmap, damage) for damage in (*BOTH, "windows", "short", "camera")),
    *((colmap_binary, damage) for damage in BOTH),
    *((tum, damage) for damage in (*BOTH, "windows", "short", "time")),
    *((euroc, damage) for damage in (*BOTH, "short")),
    *((kitti, damage) for damage in (*POSES, *IMAGES, "short")),
    *((seven_scenes, damage) for damage in (*POSES, *IMAGES) if damage != "missing"),  # the pose alone is no frame
    *((scannet, damage) for damage in (*POSES, *IMAGES, "lost") if damage != "missing"),  # neither is it here
    *(
        (cambridge, damage) for damage in (*BOTH, "short", "focal") if damage != "of another size"
    ),  # each has its camera
    *((polycam, damage) for damage in (*POSES, *IMAGES, "text")),
    *((record3d, damage) for damage in BOTH),
    *((llff, damage) for damage in (*POSES, *IMAGES, "focal") if damage != "missing"),  # poses go by the images' order
    *((gaussian_splatting, damage) for damage in (*POSES, *IMAGES, "focal", "short")),
    *((rtabmap, damage) for damage in (*BOTH, "calibration")),
    *((trajectory, damage) for damage in (*BOTH, "short") if damage != "missing"),  # so are poses between images
    *((rosbag, damage) for damage in (*BOTH, "0x0") if damage != "missing"),
]


def read_all(folder, strict=False):
    """Names of the frames that can be used, and of those that were left out."""
    scene = open_recording(folder, "all", SplitOptions(strict=strict))
    later = scene.left_out.later()
    used = []
    for frame, image in prefetched(scene.frames):
        with later.trying(frame.name):
            if isinstance(image, InputError):
                raise image
            if frame.map_from_camera is None:
                raise InputError(f"{frame.name}: has no pose")
            used.append(frame.name)
    return used, [*scene.left_out.lines(), *later.lines()], {*scene.left_out.names(), *later.names()}


@pytest.mark.parametrize(("make", "damage"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_any_one_frame_damaged_in_any_way_is_left_out_alone(tmp_path, make, damage):
    bad = int(ROOT.integers(COUNT))
    told = make(tmp_path / "scene", bad, damage)
    used, lines, names = read_all(tmp_path / "scene")
    assert len(used) == COUNT - 1 and not any(told in f"/{name}" for name in used)
    assert len(names) == 1 and told in f"/{names.pop()}"
    assert lines and all(f" of {COUNT} " in line and "left out: " in line and ", e.g. " in line for line in lines)
    with pytest.raises(InputError, match="without --strict it is left out"):
        read_all(tmp_path / "scene", strict=True)


@pytest.mark.parametrize("damage", ["of another size", "truncated", "empty"])
def test_the_first_image_of_a_bag_decides_nothing(tmp_path, damage):
    told = rosbag(tmp_path / "scene", 0, damage)
    used, _, names = read_all(tmp_path / "scene")
    assert len(used) == COUNT - 1 and len(names) == 1 and told in f"/{names.pop()}"


def test_each_image_of_a_short_bag_has_one_vote_on_their_size(tmp_path):
    with BagMaker(tmp_path / "scene") as bag:
        for index in range(7):
            stamp = START + index * SECOND
            bag.info(stamp, CAMERA)
            image = picture(index) if index > 2 else picture(index)[:30, :40]
            bag.compressed(stamp, data=cv2.imencode(".png", image)[1].tobytes())
            bag.pose(stamp, pose(index))
    used, _, names = read_all(tmp_path / "scene")
    assert len(used) == 4 and len(names) == 3


@pytest.mark.parametrize("bad", [0, 1, 2, COUNT - 1])
def test_a_trajectory_is_known_though_one_of_its_first_rows_is_short(tmp_path, bad):
    told = trajectory(tmp_path / "scene", bad, "short")
    used, _, names = read_all(tmp_path / "scene")
    assert len(used) == COUNT - 1 and len(names) == 1 and told in f"/{names.pop()}"


def test_of_a_text_and_a_binary_model_the_newer_is_read(tmp_path):
    folder = tmp_path / "scene"
    colmap_binary(folder, 0, "")
    text = tmp_path / "text"
    colmap_scene(text, names=("0.png", "1.png"))
    for name in ("cameras.txt", "images.txt"):
        shutil.copy(text / "sparse/0" / name, folder / "sparse/0" / name)
    for age, (kind, count) in enumerate((("txt", 2), ("bin", 12))):
        for name in ("cameras", "images"):
            os.utime(folder / f"sparse/0/{name}.{kind}", (2e9 + age, 2e9 + age))
        scene = open_recording(folder, "all")
        assert len(scene.frames) == count
        assert any(f"images.{kind}, the newer one, was read" in note for note in scene.notes)


@pytest.mark.slow
def test_a_room_with_bad_frames_of_every_kind_is_mapped_without_them(tmp_path):
    room = make_room(tmp_path / "room", train=24, test=4, size=(200, 160))
    images, poses = (sorted((room / "train" / name).iterdir()) for name in ("rgb", "poses"))
    images[1].write_bytes(b"")
    images[3].write_bytes(images[3].read_bytes()[:1000])
    images[4].write_bytes(images[4].read_bytes()[:1200])
    np.savetxt(poses[6], np.zeros((4, 4)))
    poses[8].write_text("1 0 0 0 1")
    quick = ("--steps", "5", "--device", "cpu", "--image-size", "160", "--landmarks", "500")
    done = ace_here("map", room, "-o", tmp_path / "room.safetensors", *quick)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "left out: " in line]
    assert sorted(line.split(", e.g.")[0] for line in told) == [
        "note: 1 of 24 frames left out: a 4x4 matrix (camera to world) is expected",
        "note: 1 of 24 frames left out: the image is empty",
        "note: 1 of 24 frames left out: the pose is all zeros",
        "note: 2 of 24 frames left out: the image is truncated",
    ]
    assert "from 19 frames" in done.stdout
    refused = ace_here("map", room, "-o", tmp_path / "strict.safetensors", "--strict", *quick)
    assert refused.returncode == 1 and "without --strict it is left out" in refused.stderr
