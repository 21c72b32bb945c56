"""Bags that are not perfect, in both storages, with raw and compressed images, through `ace map` and `ace evaluate`."""

import json

import cv2
import numpy as np
import pytest
from ace_command import ace_here, refused, succeeded
from scene_making import SECOND, START, BagMaker

from ace_ros.generated import make_room
from ace_ros.recordings import open_recording

SMALL = ("--device", "cpu", "--image-size", "180", "--landmarks", "2000")
OPTICAL = "camera_optical_frame"


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A drive through a small room: (image, camera, map_from_camera)."""
    room = make_room(tmp_path_factory.mktemp("bags") / "room", train=32, test=2, size=(240, 180))
    return [(f.read(), f.camera, f.map_from_camera) for f in open_recording(room, "train").frames]


@pytest.fixture(scope="module")
def good_map(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    with BagMaker(folder / "bag") as bag:
        fill(bag, frames, "compressed")
    succeeded(ace_here("map", folder / "bag", "-o", folder / "m.safetensors", "--steps", 150, *SMALL))
    return folder / "m.safetensors"


BOTH_OF_EITHER = ["mcap raw", "sqlite3 compressed"]  # of what has to do with one of the two alone, or with neither


@pytest.fixture(params=[*BOTH_OF_EITHER, "mcap compressed", "sqlite3 raw"])
def kind(request):
    return request.param.split()


either = pytest.mark.parametrize("kind", BOTH_OF_EITHER, indirect=True)


def fill(bag, frames, images, order=None, parts=("image", "info", "pose"), camera="/camera", frame="map"):
    """The frames in ``order``, the time of recording running on."""
    for count, index in enumerate(range(len(frames)) if order is None else order):
        pixels, intrinsics, map_from_camera = frames[index]
        stamp = START + index * SECOND // 10
        if "pose" in parts:
            bag.pose(stamp, map_from_camera, topic="/camera/pose", frame=frame)
        if "info" in parts:
            bag.info(stamp, intrinsics, topic=f"{camera}/camera_info", frame=OPTICAL)
        if "image" in parts and images == "raw":
            bag.raw(stamp, pixels, "rgb8", topic=f"{camera}/image_raw", frame=OPTICAL)
        elif "image" in parts:
            data = cv2.imencode(".jpg", pixels[..., ::-1])[1].tobytes()
            when = START + count * SECOND // 10
            bag.compressed(stamp, topic=f"{camera}/image_raw/compressed", frame=OPTICAL, data=data, log_time=when)


def both(good_map, bag, folder, *flags):
    """Map it and evaluate it, those frames too that the good map was made from; the results of both."""
    made = ace_here("map", bag, "-o", folder / "new.safetensors", "--steps", 5, *SMALL, *flags)
    scored = ("--split", "all", "--include-mapped", "--json", folder / "e.json")
    judged = ace_here("evaluate", good_map, bag, *scored, *flags)
    return made, judged


def both_refused(good_map, bag, folder, *said):
    for done in both(good_map, bag, folder):
        refused(done, *said)
    assert not (folder / "new.safetensors").exists() and not (folder / "e.json").exists()


def check(folder, made, judged, *said):
    """Both went well and told the user."""
    for done in (made, judged):
        text = succeeded(done).stderr.replace("\n", " ")
        assert all(part in text for part in said), text
    figures = json.loads((folder / "e.json").read_text())
    assert figures["frames"] == 32 and figures["localized"] >= 16 and figures["recall"]["10cm_5deg"] > 0.7


def test_a_bag_that_is_as_it_should_be(frames, good_map, kind, tmp_path):
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        fill(bag, frames, kind[1])
    check(tmp_path, *both(good_map, tmp_path / "bag", tmp_path), "images: /camera/image_raw", "poses: /camera/pose")


@either
def test_without_true_poses(frames, good_map, kind, tmp_path):
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        fill(bag, frames, kind[1], parts=("image", "info"))
    made, judged = both(good_map, tmp_path / "bag", tmp_path)
    refused(made, "no poses of the camera were found", "not one of 28 frames can be used")
    refused(judged, "no poses of the camera were found", "no frame has a true pose")


@either
def test_without_camera_info(frames, good_map, kind, tmp_path):
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        fill(bag, frames, kind[1], parts=("image", "pose"))
    both_refused(good_map, tmp_path / "bag", tmp_path, "no CameraInfo", "--intrinsics")
    camera = frames[0][1]
    given = ("--intrinsics", f"{camera.fx},{camera.fy},{camera.cx},{camera.cy}")
    check(tmp_path, *both(good_map, tmp_path / "bag", tmp_path, *given))


def test_cut_off_in_the_middle(frames, good_map, kind, tmp_path):
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        fill(bag, frames, kind[1])
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix != ".yaml")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    if kind == ["mcap", "raw"]:  # no chunks: what was whole before the cut is read, and that it is not all is said
        for done in both(good_map, tmp_path / "bag", tmp_path):
            text = " ".join(done.stderr.split())
            assert "was not closed by its recorder; all whole messages in it are read" in text, text
            assert "Traceback" not in text
    elif kind[0] == "mcap":  # one chunk, and that is cut
        both_refused(good_map, tmp_path / "bag", tmp_path, "Was the recording cut off?")
    else:
        both_refused(good_map, tmp_path / "bag", tmp_path, "Was the recording cut off?", "mcap recover", "reindex")


@either
def test_two_cameras(frames, good_map, kind, tmp_path):
    dark = [(pixels // 4, *rest) for pixels, *rest in frames]
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        fill(bag, frames, kind[1], camera="/left")
        fill(bag, dark, kind[1], camera="/right", parts=("image", "info"))
    said = ("several cameras (/left/image_raw, /right/image_raw)", "--image-topic")
    both_refused(good_map, tmp_path / "bag", tmp_path, *said)
    check(tmp_path, *both(good_map, tmp_path / "bag", tmp_path, "--image-topic", "/left/image_raw"))


@either
def test_images_out_of_order(frames, good_map, kind, tmp_path):
    order = np.random.default_rng(3).permutation(len(frames)).tolist()
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        for index in order:
            fill(bag, frames, kind[1], order=[index], parts=("info", "pose"))
        fill(bag, frames, kind[1], order=order, parts=("image",))
    said = () if kind[1] == "raw" else ("out of order and are sorted",)  # the raw ones are recorded at their stamps
    check(tmp_path, *both(good_map, tmp_path / "bag", tmp_path), *said)


@either
def test_without_images(frames, good_map, kind, tmp_path):
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        fill(bag, frames, kind[1], parts=("info", "pose"))
    both_refused(good_map, tmp_path / "bag", tmp_path, "no camera images", "/camera/camera_info")


@either
def test_poses_in_another_frame(frames, good_map, kind, tmp_path):
    """Another origin: what is compared is said, and that it can't be right."""
    moved = np.eye(4)
    moved[:3, 3] = 2.0, -1.0, 0.0
    elsewhere = [(pixels, camera, moved @ pose) for pixels, camera, pose in frames]
    with BagMaker(tmp_path / "bag", kind[0]) as bag:
        fill(bag, elsewhere, kind[1], frame="world")
    made, judged = both(good_map, tmp_path / "bag", tmp_path)
    succeeded(made)
    text = succeeded(judged).stderr.replace("\n", " ")
    assert "the true poses are in 'world', the map is in 'map'" in text
    assert "are those of another frame than the map's" in text
    done = ace_here("evaluate", good_map, tmp_path / "bag", "--map-frame", "map")
    refused(done, "no poses in the frame map", "world")


@pytest.mark.slow
@either
def test_frames_that_the_map_was_made_from_are_left_out_and_counted(frames, kind, tmp_path):
    """A map of all but the last frames of a drive, scored on the whole of it, and on nothing but its own."""
    part, drive = frames[:26], tmp_path / "drive"
    for name, some in (("part", part), ("drive", frames)):
        with BagMaker(tmp_path / name, kind[0]) as bag:
            fill(bag, some, kind[1])
    place, written = tmp_path / "m.safetensors", tmp_path / "e.json"
    succeeded(ace_here("map", tmp_path / "part", "-o", place, "--test-every", 0, "--steps", 100, *SMALL))
    text = succeeded(ace_here("info", place)).stdout
    assert "26, with those held back, are known again" in text
    assert json.loads(succeeded(ace_here("info", place, "--json")).stdout)["known_frames"] == 26

    report = ("--report", tmp_path / "out") if kind[1] == "raw" else ()
    done = succeeded(ace_here("evaluate", place, drive, "--split", "all", "--json", written, *report))
    figures = json.loads(written.read_text())
    assert (figures["frames"], figures["left_out_mapped"], figures["scored_mapped"]) == (6, 26, 0)
    assert "26 frames that the map was made from were left out" in done.stderr.replace("\n", " ")
    if report:
        assert "26 left out that the map was made from" in (tmp_path / "out" / "report.html").read_text()

    own = ("evaluate", place, tmp_path / "part", "--split", "all", "--json", written)
    refused(ace_here(*own), "made from all 26 frames", "--include-mapped")
    done = succeeded(ace_here(*own, "--include-mapped"))
    figures = json.loads(written.read_text())
    assert (figures["frames"], figures["left_out_mapped"], figures["scored_mapped"]) == (26, 0, 26)
    assert "26 frames that the map was made from are scored all the same" in done.stderr.replace("\n", " ")


@pytest.mark.slow
def test_there_and_back(tmp_path):
    """A scene and the bags of it: maps of either judge either alike; a bag knows which frames are queries."""
    make_room(tmp_path / "room", train=40, test=12, size=(240, 180))
    for storage in ("mcap", "sqlite3"):
        succeeded(ace_here("bag", tmp_path / "room", "-o", tmp_path / storage, "--storage", storage))
    figures = {}
    for source in ("room", "mcap", "sqlite3"):
        path = tmp_path / f"{source}.safetensors"
        succeeded(ace_here("map", tmp_path / source, "-o", path, "--steps", 60, *SMALL))
        for queries in {"room", source}:
            written = tmp_path / f"{source}_{queries}.json"
            succeeded(ace_here("evaluate", path, tmp_path / queries, "--split", "test", "--json", written))
            figures[source, queries] = json.loads(written.read_text())
    first = figures["room", "room"]
    assert first["frames"] == 12 and first["localized"] >= 6
    for pair, other in figures.items():
        assert other["frames"] == 12 and abs(other["localized"] - first["localized"]) <= 1, pair
        for name in first["recall"]:
            assert other["recall"][name] == pytest.approx(first["recall"][name], abs=0.17), pair
