"""The camera, from whatever people have: numbers, files of ROS, Kalibr, EuRoC, OpenCV, COLMAP, ACE, and EXIF."""

import cv2
import numpy as np
import pytest
from ace_command import ace_here, refused
from PIL import Image as PillowImage
from scene_making import ace_scene, colmap_scene, nerfstudio_scene, picture

from ace_ros.camera import Camera
from ace_ros.cli.camera_argument import camera_argument
from ace_ros.errors import InputError

WANTED = Camera(64, 48, 60.0, 61.0, 31.0, 23.5, (0.1, -0.05, 0.001, 0.002))
FILES = {
    "ost.yaml": """image_width: 64
image_height: 48
camera_name: narrow
camera_matrix:
  rows: 3
  cols: 3
  data: [60.0, 0.0, 31.0, 0.0, 61.0, 23.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 4
  data: [0.1, -0.05, 0.001, 0.002]
""",
    "echo.yaml": """header:
  stamp:
    sec: 0
    nanosec: 0
  frame_id: camera
height: 48
width: 64
distortion_model: plumb_bob
d:
- 0.1
- -0.05
- 0.001
- 0.002
k:
- 60.0
- 0.0
- 31.0
- 0.0
- 61.0
- 23.5
- 0.0
- 0.0
- 1.0
binning_x: 0
---
header:
  frame_id: next
---
""",
    "echo_of_ros1.yaml": """height: 48
width: 64
distortion_model: "plumb_bob"
D: [0.1, -0.05, 0.001, 0.002]
K: [60.0, 0.0, 31.0, 0.0, 61.0, 23.5, 0.0, 0.0, 1.0]
""",
    "camchain.yaml": """cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [0.1, -0.05, 0.001, 0.002]
  distortion_model: radtan
  intrinsics: [60.0, 61.0, 31.0, 23.5]
  resolution: [64, 48]
  rostopic: /cam0/image_raw
cam1:
  intrinsics: [1.0, 1.0, 1.0, 1.0]
""",
    "sensor.yaml": """#Default parameters
sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
resolution: [64, 48]
camera_model: pinhole
intrinsics: [60.0, 61.0, 31.0, 23.5] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [0.1, -0.05, 0.001, 0.002]
""",
    "orb_slam.yaml": """%YAML:1.0

Camera.type: "PinHole"
Camera1.fx: 60.0
Camera1.fy: 61.0
Camera1.cx: 31.0
Camera1.cy: 23.5
Camera1.k1: 0.1
Camera1.k2: -0.05
Camera1.p1: 0.001
Camera1.p2: 0.002
Camera.width: 64
Camera.height: 48
""",
    "numbers.txt": "# fx fy cx cy k1 k2 p1 p2\n60, 61, 31, 23.5\n0.1 -0.05 0.001 0.002\n",
    "colmap.txt": "1 OPENCV 64 48 60 61 31.5 24 0.1 -0.05 0.001 0.002\n",
    "cameras.txt": "# Camera list\n#   CAMERA_ID, MODEL, ...\n1 OPENCV 64 48 60 61 31.5 24 0.1 -0.05 0.001 0.002\n",
}


def same(camera):
    distortion = (*camera.distortion, *(0.0,) * 4)
    assert (camera.width, camera.height) == (WANTED.width, WANTED.height)
    np.testing.assert_allclose((camera.fx, camera.fy, camera.cx, camera.cy), (60, 61, 31, 23.5))
    np.testing.assert_allclose(distortion[:4], WANTED.distortion)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("style", ["plain", "windows"])
def test_calibration_files(tmp_path, name, style):
    content = FILES[name].encode()
    if style == "windows" and "orb" not in name:  # OpenCV wants its first line as it is
        content = b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")
    (tmp_path / name).write_bytes(content)
    same(camera_argument(str(tmp_path / name))(tmp_path, 64, 48))


@pytest.mark.parametrize("suffix", [".yaml", ".xml"])
@pytest.mark.parametrize(
    "names", [("camera_matrix", "distortion_coefficients"), ("cameraMatrix", "distCoeffs"), ("K", "D")]
)
def test_opencv_writes_it_itself(tmp_path, suffix, names):
    path = tmp_path / f"calibration{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 64)
    storage.write("image_height", 48)
    storage.write(names[0], WANTED.matrix)
    storage.write(names[1], np.array(WANTED.distortion)[:, None])
    storage.release()
    same(camera_argument(str(path))(path, 64, 48))


CAMCHAIN = FILES["camchain.yaml"]
WIDE = {
    # what a file says: the lens that it means
    "kalibr equi": (CAMCHAIN.replace("radtan", "equi"), "equidistant", WANTED.distortion),
    "kalibr equi, ideal": (
        CAMCHAIN.replace("radtan", "equi").replace("[0.1, -0.05, 0.001, 0.002]", "[0.0, 0.0, 0.0, 0.0]"),
        "equidistant",
        (),
    ),
    "kalibr fov": (CAMCHAIN.replace("radtan", "fov").replace("[0.1, -0.05, 0.001, 0.002]", "[0.93]"), "fov", (0.93,)),
    "kalibr omni": (
        CAMCHAIN.replace(": pinhole", ": omni").replace("[60.0, 61", "[1.9, 60.0, 61"),
        "omni",
        (1.9, *WANTED.distortion),
    ),
    "kalibr ds": (
        CAMCHAIN.replace(": pinhole", ": ds")
        .replace("[60.0, 61", "[-0.2, 0.6, 60.0, 61")
        .replace("radtan", "none")
        .replace("[0.1, -0.05, 0.001, 0.002]", "[]"),
        "double_sphere",
        (-0.2, 0.6),
    ),
    "kalibr eucm": (
        CAMCHAIN.replace(": pinhole", ": eucm")
        .replace("[60.0, 61", "[0.6, 1.1, 60.0, 61")
        .replace("radtan", "none")
        .replace("[0.1, -0.05, 0.001, 0.002]", "[]"),
        "eucm",
        (0.6, 1.1),
    ),
    "ros": (FILES["ost.yaml"].replace("plumb_bob", "equidistant"), "equidistant", WANTED.distortion),
    "ros, RealSense": (FILES["echo.yaml"].replace("plumb_bob", "Kannala Brandt4"), "equidistant", WANTED.distortion),
    "asl": (FILES["sensor.yaml"].replace("radial-tangential", "equidistant"), "equidistant", WANTED.distortion),
    "orb-slam": (
        FILES["orb_slam.yaml"].replace("PinHole", "KannalaBrandt8").replace(".p1", ".k3").replace(".p2", ".k4"),
        "equidistant",
        WANTED.distortion,
    ),
    "camodocal": (
        "%YAML:1.0\n---\nmodel_type: KANNALA_BRANDT\nimage_width: 64\nimage_height: 48\nprojection_parameters:\n"
        "   k2: 0.1\n   k3: -0.05\n   k4: 0.001\n   k5: 0.002\n   mu: 60.0\n   mv: 61.0\n   u0: 31.0\n   v0: 23.5\n",
        "equidistant",
        WANTED.distortion,
    ),
    "camodocal, mei": (
        "%YAML:1.0\n---\nmodel_type: MEI\nimage_width: 64\nimage_height: 48\nmirror_parameters:\n   xi: 1.9\n"
        "distortion_parameters:\n   k1: 0.1\n   k2: -0.05\n   p1: 0.001\n   p2: 0.002\n"
        "projection_parameters:\n   gamma1: 60.0\n   gamma2: 61.0\n   u0: 31.0\n   v0: 23.5\n",
        "omni",
        (1.9, *WANTED.distortion),
    ),
}


@pytest.mark.parametrize("name", WIDE)
def test_calibrations_of_wide_lenses(tmp_path, name):
    text, model, distortion = WIDE[name]
    (tmp_path / "wide.yaml").write_text(text)
    camera = camera_argument(str(tmp_path / "wide.yaml"))(tmp_path, 64, 48)
    assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 60, 61, 31, 23.5)
    assert (camera.model, camera.distortion) == (model, pytest.approx(distortion))


@pytest.mark.parametrize("mark", [("fisheye_model", 1), ("distortion_model", "fisheye"), ("xi", 1.9)])
@pytest.mark.parametrize("names", [("camera_matrix", "distortion_coefficients"), ("K", "D")])
def test_opencvs_fisheye_has_to_be_marked(tmp_path, names, mark):
    path = tmp_path / "calibration.yaml"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 64)
    storage.write("image_height", 48)
    storage.write(names[0], WANTED.matrix)
    storage.write(names[1], np.array(WANTED.distortion)[:, None])
    storage.write(*mark)
    storage.release()
    camera = camera_argument(str(path))(path, 64, 48)
    wanted = ("omni", (1.9, *WANTED.distortion)) if mark[0] == "xi" else ("equidistant", WANTED.distortion)
    assert (camera.model, camera.distortion) == wanted


def test_rtabmaps_fisheye_keeps_room_for_tangential_coefficients(tmp_path):
    path = tmp_path / "calibration.yaml"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 64)
    storage.write("image_height", 48)
    storage.write("camera_matrix", WANTED.matrix)
    storage.write("distortion_coefficients", np.array([[0.1, -0.05, 0.0, 0.0, 0.001, 0.002]]))
    storage.write("distortion_model", "fisheye")
    storage.release()
    camera = camera_argument(str(path))(path, 64, 48)
    assert (camera.model, camera.distortion) == ("equidistant", WANTED.distortion)


def test_numbers_of_another_lens_come_after_its_name(tmp_path):
    camera = camera_argument("equidistant,60,61,31,23.5,0.1,-0.05,0.001,0.002")(tmp_path, 64, 48)
    assert (camera.model, camera.distortion, camera.fx) == ("equidistant", WANTED.distortion, 60)
    assert camera_argument("fisheye 60 61 31 23.5")(tmp_path, 64, 48).model == "equidistant"
    assert camera_argument("OPENCV_FISHEYE 64 48 60 61 31.5 24 .1 0 0 0")(tmp_path, 64, 48).model == "equidistant"
    assert camera_argument("EQUIRECTANGULAR 64 32 64 32")(tmp_path, 64, 32).model == "equirectangular"


def test_numbers_lines_and_recordings(tmp_path):
    same(camera_argument("60,61,31,23.5,0.1,-0.05,0.001,0.002")(tmp_path, 64, 48))
    same(camera_argument("1 OPENCV 64 48 60 61 31.5 24 0.1 -0.05 0.001 0.002")(tmp_path, 64, 48))
    same(camera_argument("OPENCV 64 48 60 61 31.5 24 0.1 -0.05 0.001 0.002")(tmp_path, 64, 48))
    folder = colmap_scene(tmp_path / "garden", "1 OPENCV 64 48 60 61 31.5 24 0.1 -0.05 0.001 0.002")
    same(camera_argument(str(folder))(tmp_path, 64, 48))
    assert camera_argument(str(folder))(tmp_path, 128, 96).fx == 120
    with pytest.raises(InputError, match=r"the image is 64 x 64, the camera of .*garden 64 x 48: not the same camera"):
        camera_argument(str(folder))(tmp_path, 64, 64)


def test_json_is_a_recording_but_for_replicas(tmp_path):
    nerfstudio_scene(tmp_path / "scan", w=64, h=48, fl_x=60.0, fl_y=61.0, cx=31.5, cy=24.0)
    camera = camera_argument(str(tmp_path / "scan/transforms.json"))(tmp_path, 64, 48)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60, 61, 31, 23.5)
    file = tmp_path / "cam_params.json"
    file.write_text('{"camera": {"w": 128, "h": 96, "fx": 120, "fy": 122, "cx": 62.5, "cy": 47.5, "scale": 6553.5}}')
    assert camera_argument(str(file))(tmp_path, 64, 48).fx == 60


def test_k_and_the_files_of_ace(tmp_path):
    (tmp_path / "K.txt").write_text("60 0 31\n0 61 23.5\n0 0 1\n")
    camera = camera_argument(str(tmp_path / "K.txt"))(tmp_path, 64, 48)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.distortion) == (60, 61, 31, 23.5, ())
    file = next((ace_scene(tmp_path / "room") / "calibration").iterdir())
    camera = camera_argument(str(file))(tmp_path, 64, 48)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60, 60, 32, 24)


K, P = "60 0 31 0 61 23.5 0 0 1", "60 0 31 {} 0 61 23.5 0 0 0 1 0"


@pytest.mark.parametrize(
    "text",
    [
        K,
        f"{K}\n70 0 31 0 70 23.5 0 0 1\n",
        P.format(0),
        f"{P.format('-0.0')}\n{P.format(-32.1)}",
        f"P0: {P.format(0)}\nP1: {P.format(-32.1)}\nP2: {P.format(4)}\n",
        "60 0 31 0\n0 61 23.5 0\n0 0 1 0",
        "60 0 31 0\n0 61 23.5 0\n0 0 1 0\n0 0 0 1",
    ],
)
def test_matrices_of_cameras_whole_or_one_a_row(tmp_path, text):
    (tmp_path / "calib.txt").write_text(text)
    camera = camera_argument(str(tmp_path / "calib.txt"))(tmp_path, 64, 48)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.distortion) == (60, 61, 31, 23.5, ())


def test_matrices_are_told_from_coefficients(tmp_path):
    camera = camera_argument("60 0 31 0 61 23.5 0 0 1 0.1 -0.05 0.001 0.002")(tmp_path, 64, 48)
    same(camera)
    assert camera_argument(P.format(0).replace(" ", ","))(tmp_path, 64, 48).fy == 61
    for values in ((60, 61, 31, 23.5, 0.1, 0, 0, 0, 0), (60, 61, 31, 23.5, 0, 0, 0, 0, 0, 0, 0, 0)):
        camera = camera_argument(",".join(map(str, values)))(tmp_path, 64, 48)
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60, 61, 31, 23.5)


@pytest.mark.parametrize("matrix", ["60 {} 31 0 61 23.5 0 0 1", "60 {} 31 0 0 61 23.5 0 0 0 1 0"])
def test_a_matrix_with_a_skew_is_not_taken_for_focal_lengths(tmp_path, matrix):
    """Its second number would be fy. What a fit leaves of it is nothing."""
    assert camera_argument(matrix.format(0.001))(tmp_path, 64, 48).fy == 61
    with pytest.raises(InputError, match=r"the matrix has a skew, 2\.5 beside fx = 60; 0 is read"):
        camera_argument(matrix.format(2.5))(tmp_path, 64, 48)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "nothing: here\n", "no calibration of a kind that is known: a camera_info of ROS"),
        ("a.yaml", "a: [1\n", r"not YAML that can be read \(line 2, column 1: expected ',' or ']'"),
        ("a.yaml", "T_BS: !!opencv-matrix\n  rows: 4 cols: 4\n", r"line 2, column 15: mapping values are not allowed"),
        (
            "a.yaml",
            "K: !!opencv-matrix\n  rows: 3\n",
            r"line 1, column 4: could not determine a constructor for the tag",
        ),
        ("a.yaml", "a: 1\nb: \x01\n", r"line 2, column 4: special characters are not allowed"),
        ("a.yaml", "%YAML:1.0\n---\na: [1\n", r"not a FileStorage that OpenCV reads \(line 3: "),
        ("a.yaml", "%YAML:1.0\n---\nsteps: 3\n", "without a camera matrix"),
        ("a.yaml", "camera_matrix: {data: [1, 2]}\n", "a calibration, but not a whole one"),
        ("a.yaml", FILES["camchain.yaml"].replace("radtan", "swirl"), "distortion model 'swirl' is not known"),
        ("a.yaml", FILES["camchain.yaml"].replace(": pinhole", ": omnivore"), "camera model 'omnivore' is not known"),
        (
            "a.yaml",
            FILES["camchain.yaml"].replace(": pinhole", ": ds"),
            "'ds' with the distortion 'radtan' is not known",
        ),
        ("a.yaml", FILES["camchain.yaml"].replace(": pinhole", ": omni"), "takes 1, 5"),
        ("a.yaml", FILES["ost.yaml"].replace("60.0, 0.0", "0.0, 0.0"), "focal lengths must be positive"),
        ("a.txt", "sixty", "fx fy cx cy and distortion, a 3x3 K or a focal length"),
        ("a.txt", "60 61", "it holds 2 numbers"),
        (
            "info.txt",
            "# m_calibrationColorIntrinsic\n",
            "m_calibrationColorIntrinsic: 16 numbers are expected, it has 0",
        ),
        ("cam_params.json", "[]", "fx, fy, cx and cy are expected"),
        ("cam_params.json", '{"fx": "a", "fy": 1, "cx": 1, "cy": 1}', "fx, fy, cx, cy: numbers only"),
        ("cam_params.json", '{"fx": 1, "fy": 1, "cx": 1, "cy": 1, "w": NaN, "h": 2}', "cannot convert float NaN"),
        ("cam_params.json", '{"fx": 0, "fy": 1, "cx": 1, "cy": 1, "w": 2, "h": 2}', "focal lengths must be positive"),
        ("a.txt", "1 FISHEYE 64 48 1 2 3", "FISHEYE has 4 parameters, here are 3"),
        ("a.txt", "1 SWIRL_FISHEYE 64 48 1 2 3", "camera model SWIRL_FISHEYE is not known"),
    ],
)
def test_files_that_are_none_are_named(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rf"{name}.*{said}"):
        camera_argument(str(tmp_path / name))(tmp_path, 64, 48)
    with pytest.raises(InputError, match="neither a file nor numbers; give fx,fy,cx,cy"):
        camera_argument("nowhere.yaml")


def photograph(path, **tags):
    exif = PillowImage.Exif()
    exif[0x8769] = dict(tags.values())
    PillowImage.fromarray(picture(0, 400, 300)).save(path, exif=exif)
    return path


def test_the_focal_length_of_exif_comes_with_its_caveat(tmp_path, capsys):
    path = photograph(tmp_path / "a.jpg", film=(0xA405, 26), focal=(0x920A, 4.2))
    camera = camera_argument("exif")(path, 400, 300)
    assert camera.fx == camera.fy == pytest.approx(26 / np.hypot(36, 24) * 500)
    assert (camera.cx, camera.cy) == (199.5, 149.5)
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "is that of EXIF (26 mm on 35 mm film): often a few percent off" in said and "a calibration is better" in said
    )
    path = photograph(tmp_path / "b.jpg", focal=(0x920A, 5.0), resolution=(0xA20E, 2540.0), unit=(0xA210, 2))
    assert camera_argument("exif")(path, 400, 300).fx == pytest.approx(5.0 / 25.4 * 2540)
    PillowImage.fromarray(picture(0, 400, 300)).save(tmp_path / "c.jpg")
    with pytest.raises(InputError, match="its EXIF tells no focal length: give fx,fy,cx,cy or a calibration file"):
        camera_argument("exif")(tmp_path / "c.jpg", 400, 300)


def test_the_command_says_what_it_takes(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"")
    (tmp_path / "odd.yaml").write_text("x: 1")
    done = ace_here("localize", tmp_path / "m.safetensors", "a.jpg", "--camera", tmp_path / "odd.yaml")
    refused(done, "no calibration of a kind that is known")
