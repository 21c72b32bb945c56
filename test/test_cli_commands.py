"""The `ace` command as people run it, on a small generated room: map, evaluate, localize, export, bag, Ctrl-C."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import psutil
import pytest
import safetensors
from ace_command import PROGRAM, ace, ace_here, refused, succeeded
from processes import asked, below
from twin_making import SHIFT, half_twin

from ace_ros import __version__
from ace_ros.generated import make_room, room_camera
from ace_ros.geometry import pose_error, pose_from_quaternion
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.workspace import Workspace
from ace_ros.recordings import open_recording, read_image

SIZE = (320, 240)
QUICK = ("--steps", "50", "--device", "cpu", "--image-size", "240")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A room of 48 mapping frames and 16 queries, its map, and what mapping it said."""
    folder = tmp_path_factory.mktemp("cli")
    room = make_room(folder / "room", train=48, test=16, size=SIZE)
    done = ace("map", room, "-o", folder / "room.safetensors", "--json", folder / "map.json", *QUICK)
    succeeded(done)
    camera = room_camera(SIZE)
    return SimpleNamespace(
        folder=folder, room=room, map=folder / "room.safetensors", said=done.stdout, camera=camera,
        figures=json.loads((folder / "map.json").read_text()),
        camera_text=f"{camera.fx},{camera.fy},{camera.cx},{camera.cy}",
        queries=sorted((room / "test" / "rgb").iterdir()),
    )  # fmt: skip


def test_map_tells_its_figures(place):
    figures = place.figures
    assert figures["frames"] == 48 and figures["skipped"] == 0 and figures["steps"] == 50
    assert figures["map_bytes"] == place.map.stat().st_size
    assert figures["seconds"] > 0 and figures["peak_rss_bytes"] > 50e6
    assert set(figures["held_back"]) >= {"frames", "median_translation", "median_rotation_deg", "nees_mean"}
    assert figures["held_back"]["frames"] >= 2
    lines = place.said.splitlines()
    assert lines[-2].startswith(str(place.map)) and "48 frames" in lines[-2]
    assert lines[-1].startswith("expected accuracy: ")


def test_evaluate_agrees_with_a_judgement_from_outside(place, tmp_path):
    written = ("--json", tmp_path / "e.json", "--trajectory", tmp_path / "e.tum")
    done = succeeded(ace("evaluate", place.map, place.room, *written))
    figures = json.loads((tmp_path / "e.json").read_text())
    assert figures["frames"] == 16 == figures["localized"] + figures["uncertain"] + figures["lost"]
    assert figures["metric"] is True
    assert set(figures["recall"]) == {"10cm_5deg", "5cm_5deg", "2cm_2deg", "1cm_1deg"}
    assert set(figures["query_ms"]) == {"median", "p95"}
    assert figures["localized"] >= 12 and figures["recall"]["5cm_5deg"] >= 0.75 and figures["false_confident"] == 0
    assert "nees_median" in figures and figures["localized_among_5cm_5deg"] > 0.75
    # the same errors from the trajectory's lines and the recording's own poses
    estimated = np.loadtxt(tmp_path / "e.tum")
    assert len(estimated) == figures["localized"] + figures["uncertain"]
    truth = {f.stamp: f.map_from_camera for f in open_recording(place.room, "test").frames}
    found = [
        pose_error(pose_from_quaternion(row[1:4], row[4:]), truth[min(truth, key=lambda s: abs(s - row[0] * 1e9))])
        for row in estimated
    ] + [(np.inf, np.inf)] * (16 - len(estimated))
    assert figures["median_translation"] == pytest.approx(np.median([t for t, _ in found]), abs=1e-6)
    assert figures["median_rotation_deg"] == pytest.approx(np.median([r for _, r in found]), abs=1e-4)
    assert len((tmp_path / "e.true.tum").read_text().splitlines()) == 16
    assert "within 5 cm, 5 deg" in done.stdout


def test_evaluating_twice_gives_the_same(place, tmp_path):
    for name in "ab":
        succeeded(ace_here("evaluate", place.map, place.room, "--json", tmp_path / f"{name}.json", "--device", "cpu"))
    a, b = (json.loads((tmp_path / f"{name}.json").read_text()) for name in "ab")
    for name in ("localized", "median_translation", "median_rotation_deg", "recall", "nees_mean"):
        assert a[name] == b[name]


def test_localize_prints_a_line_an_image_whatever_the_camera_comes_from(place, tmp_path):
    yaml = tmp_path / "camera.yaml"
    c = place.camera
    yaml.write_text(
        f"image_width: {c.width}\nimage_height: {c.height}\ncamera_name: head\n"
        f"camera_matrix:\n  rows: 3\n  cols: 3\n  data: [{c.fx}, 0., {c.cx}, 0., {c.fy}, {c.cy}, 0., 0., 1.]\n"
        "distortion_model: plumb_bob\ndistortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [0., 0., 0., 0., 0.]\n"
    )
    said = []
    for camera in (place.camera_text, yaml, place.room):
        done = ace_here("localize", place.map, *place.queries[7:10], "--camera", camera, "--json", tmp_path / "l.json")
        assert done.returncode in (0, 3), done.stderr
        said.append(done.stdout)
    assert said[0] == said[1] == said[2]
    lines = said[0].splitlines()
    assert len(lines) == 3
    truth = {f.name: f.map_from_camera for f in open_recording(place.room, "test").frames}
    name, *numbers = lines[0].split()
    values, state = [float(v) for v in numbers[:8]], numbers[8]
    assert name == str(place.queries[7]) and state == "LOCALIZED" and 0 <= values[7] <= 1
    expected = next(pose for key, pose in truth.items() if place.queries[7].stem.split(".")[0] in key)
    translation, rotation = pose_error(pose_from_quaternion(values[:3], values[3:7]), expected)
    assert translation < 0.1 and rotation < 3
    written = json.loads((tmp_path / "l.json").read_text())["images"][0]
    assert written["position"] == pytest.approx(values[:3], abs=1e-6)
    assert np.array(written["covariance"]).shape == (6, 6)


def test_localize_tells_all_poses_of_an_image_that_fits_two_places(place, tmp_path):
    half_twin(SceneMap.load(place.map)).save(tmp_path / "twins.safetensors")
    written = ("--camera", place.camera_text, "--json", tmp_path / "l.json")
    done = ace_here("localize", tmp_path / "twins.safetensors", *place.queries[::2], *written)
    assert done.returncode == 3, done.stderr
    answers = json.loads((tmp_path / "l.json").read_text())["images"]
    answer = next(one for one in answers if one["alternatives"])
    assert answer["state"] == "UNCERTAIN" and answer["place"] == answer["alternatives"][0]["place"]
    apart = np.subtract(*(one["position"] for one in answer["alternatives"]))
    assert np.abs(apart) == pytest.approx(SHIFT, abs=0.2)
    lines = done.stdout.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(answer["name"]))
    for line, one in zip(lines[first + 1 : first + 3], answer["alternatives"], strict=True):
        mark, maybe, *numbers = line.split()
        assert (mark, maybe) == ("#", "maybe") and f"in place {one['place']}, {one['probability']:.0%}" in line
        assert [float(number) for number in numbers[:3]] == pytest.approx(one["position"], abs=1e-6)


def test_localize_takes_a_folder_of_images_whatever_they_are_called(place, tmp_path):
    """In the order of their numbers; a name may be of bytes that are no UTF-8. Where there is no image, it says so."""
    for index, name in ((8, b"shot 10.jpg"), (7, b"shot 9.jpg"), (9, b"sp\xe4t.jpg")):
        (tmp_path / os.fsdecode(name)).write_bytes(place.queries[index].read_bytes())
    (tmp_path / "notes.txt").write_text("no image")
    camera = ("--camera", place.camera_text)
    done = ace("localize", place.map, tmp_path, *camera, errors="surrogateescape")
    one_by_one = ace_here("localize", place.map, *(place.queries[index] for index in (7, 8, 9)), *camera)
    assert done.returncode == one_by_one.returncode, done.stderr
    poses = [[line.split(".jpg ")[1] for line in ran.stdout.splitlines()] for ran in (done, one_by_one)]
    assert len(poses[0]) == 3 and poses[0] == poses[1]
    assert done.stdout.splitlines()[0].startswith(str(tmp_path / "shot 9.jpg"))
    (tmp_path / "empty").mkdir()
    refused(ace_here("localize", place.map, tmp_path / "empty", *camera), "there is no image in this folder")


def test_localize_says_what_cannot_be_localized_or_read(place, tmp_path):
    import cv2

    black = tmp_path / "black.png"
    cv2.imwrite(str(black), np.zeros((240, 320, 3), np.uint8))
    done = ace_here("localize", place.map, black, "--camera", place.camera_text)
    assert done.returncode == 3
    line = rf"{re.escape(str(black))} (nan ){{7}}0\.\d+ LOST  # can't be localized: \S+"
    assert re.match(line, done.stdout)
    truncated = tmp_path / "half.jpg"
    truncated.write_bytes(place.queries[0].read_bytes()[:5000])
    (tmp_path / "empty.jpg").write_bytes(b"")
    images = [truncated, tmp_path / "empty.jpg", tmp_path / "missing.jpg", place.queries[8]]
    done = ace_here("localize", place.map, *images, "--camera", place.camera_text)
    assert done.returncode == 1
    for image in images[:3]:
        assert image.name in done.stderr.replace("\n", "")
    assert done.stdout.startswith(str(place.queries[8])) and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("1,2,3", "four numbers"),
        ("0,0,160,120", "uncalibrated"),
        ("nan,300,160,120", "finite"),
        ("no-such.yaml", "neither a file nor numbers"),
    ],
)
def test_localize_refuses_a_bad_camera(place, camera, said):
    done = ace_here("localize", place.map, place.queries[0], "--camera", camera)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr and not done.stdout


def test_localize_takes_the_camera_of_another_image_size_but_not_of_another_shape(place, tmp_path):
    import cv2

    image = read_image(place.queries[8])
    small, cropped = tmp_path / "small.png", tmp_path / "cropped.png"
    cv2.imwrite(str(small), cv2.resize(image, (240, 180), interpolation=cv2.INTER_AREA)[..., ::-1])
    cv2.imwrite(str(cropped), image[:200, :, ::-1])
    done = ace_here("localize", place.map, small, cropped, "--camera", place.room)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1 and "small.png" in done.stdout
    assert "not the same camera" in done.stderr.replace("\n", " ")


def test_info_describes_the_map(place):
    text = succeeded(ace_here("info", place.map)).stdout
    assert "xfeat" in text and "metres" in text
    header = json.loads(succeeded(ace_here("info", place.map, "--json")).stdout)
    assert header["metric"] is True and header["encoder"] == "xfeat" and header["training"]["steps"] == 50


def test_export_writes_a_coloured_cloud_of_the_room(place, tmp_path):
    succeeded(ace_here("export", place.map, place.room, "--ply", tmp_path / "room.ply", "--frames", "10"))
    header, _, body = (tmp_path / "room.ply").read_bytes().partition(b"end_header\n")
    table = np.frombuffer(body, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    assert f"element vertex {len(table)}\n".encode() in header and len(table) > 500
    inside = (np.abs(table["xyz"] - (0, 0, 1.3)) < (3.6, 3.0, 1.7)).all(axis=1)  # the room is 6.4 x 5.2 x 2.6 m
    assert inside.mean() > 0.9
    assert table["rgb"].std(axis=0).min() > 10
    succeeded(ace_here("export", place.map, "--ply", tmp_path / "landmarks.ply"))
    assert (tmp_path / "landmarks.ply").stat().st_size > 1000


def test_report_is_one_page_and_its_data(place, tmp_path):
    out = tmp_path / "deep" / "report"
    succeeded(ace_here("evaluate", place.map, place.room, "--report", out))
    assert {p.name for p in out.iterdir()} == {
        "report.html", "evaluation.json", "frames.csv", "estimated.tum", "true.tum", "trajectory.png",
    }  # fmt: skip
    page = (out / "report.html").read_text()
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert len(data["frames"]) == 16
    assert len(data["gallery"]["worst"]) == len(data["gallery"]["best"]) == 8
    assert len({item["index"] for part in data["gallery"].values() for item in part}) == 16
    assert (out / "frames.csv").read_text().count("\n") == 17
    assert data["figures"]["frames"] == json.loads((out / "evaluation.json").read_text())["frames"]


def test_a_bag_holds_the_recording(place, tmp_path):
    succeeded(ace_here("bag", place.room, "-o", tmp_path / "bag", "--split", "test"))
    frames = open_recording(tmp_path / "bag", "all").frames
    truth = open_recording(place.room, "test").frames
    assert len(frames) == len(truth) == 16
    for found, expected in zip(frames, truth, strict=True):
        assert pose_error(found.map_from_camera, expected.map_from_camera) == pytest.approx((0, 0), abs=1e-5)
        np.testing.assert_array_equal(found.read(), expected.read())
    done = ace_here("bag", place.room, "-o", tmp_path / "bag")
    assert done.returncode == 1 and "already" in done.stderr


def test_a_bag_is_evaluated_as_its_recording_is(place, tmp_path):
    """Every frame of another drive; of the bag that the map was made from, those that it never saw."""
    for split in ("train", "test"):
        storage = {"train": "mcap", "test": "sqlite3"}[split]
        succeeded(ace_here("bag", place.room, "-o", tmp_path / split, "--split", split, "--storage", storage))
    for scene, name in ((place.room, "folder"), (tmp_path / "test", "bag")):
        succeeded(ace_here("evaluate", place.map, scene, "--json", tmp_path / f"{name}.json", "--device", "cpu"))
    folder, bag = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("folder", "bag"))
    assert bag["split"] == "all" and bag["frames"] == folder["frames"] == 16
    assert bag["recall"] == folder["recall"]
    assert bag["median_translation"] == pytest.approx(folder["median_translation"], rel=1e-3)
    succeeded(ace_here("map", tmp_path / "train", "-o", tmp_path / "m", *QUICK, "--steps", "10"))
    succeeded(ace_here("evaluate", tmp_path / "m", tmp_path / "train", "--json", tmp_path / "own.json"))
    own = json.loads((tmp_path / "own.json").read_text())
    assert own["split"] == "test" and own["frames"] == 6


@pytest.mark.parametrize("when", ["reading", "training"])
def test_ctrl_c_stops_mapping_in_its_midst(place, tmp_path, when):
    room = shutil.copytree(place.room, tmp_path / "room")
    (tmp_path / "maps").mkdir()
    old = tmp_path / "maps" / "m.safetensors"
    old.write_text("the old map")
    code = f"""
import os, signal, sys
from ace_ros.cli import build_progress, frames_to_map, main
def stop(*_):
    os.kill(os.getpid(), signal.SIGINT)
if {when!r} == "reading":
    def read(frames, p=frames_to_map.prefetched):
        for number, item in enumerate(p(frames)):
            yield (stop() if number == 20 else None) or item
    frames_to_map.prefetched = read
else:
    real = build_progress.figures
    build_progress.figures = lambda p, *more: (stop() if p.stage == {when!r} else None) or real(p, *more)
sys.exit(main())
"""
    command = [sys.executable, "-c", code, "map", str(room), "-o", str(old), *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 130, done.stderr
    assert "stopped; nothing was written" in done.stderr and "Traceback" not in done.stderr
    frames = {"reading": 20, "training": 48}[when]
    unfinished = f"{old}.unfinished"
    assert f"{unfinished} keeps {frames} frames, the same command with --resume goes on" in done.stderr
    assert old.read_text() == "the old map" and {str(p) for p in old.parent.iterdir()} == {str(old), unfinished}
    # On from there, to what would have become of it undisturbed; what was encoded is not asked for again.
    black = np.zeros((240, 320, 3), np.uint8)
    for frame in sorted((room / "train" / "rgb").iterdir())[: frames - 1]:
        assert cv2.imwrite(str(frame), black)
    succeeded(ace("map", room, "-o", old, "--json", tmp_path / "m.json", *QUICK, "--resume"))
    assert [path.name for path in old.parent.iterdir()] == [old.name]
    figures = json.loads((tmp_path / "m.json").read_text())
    assert figures["frames"] == 48 and figures["skipped"] == 0
    assert tensors(old) == tensors(place.map)


def tensors(path):
    with safetensors.safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118


def test_an_interrupted_map_is_begun_anew_or_gone_on_with(place, tmp_path):
    output = tmp_path / "m.safetensors"
    started = [sys.executable, "-c", PROGRAM, "map", str(place.room), "-o", str(output), *QUICK, "--steps", "100000"]
    process = subprocess.Popen(started, stderr=subprocess.PIPE, text=True)
    while "triangulating" not in process.stderr.readline():
        assert process.poll() is None
    refused(ace_here("map", place.room, "-o", output, *QUICK), f"{output}: another process is making this map")
    process.kill()
    process.communicate(timeout=60)
    resume = ("-o", output, *QUICK, "--steps", "20", "--resume")
    refused(ace_here("map", place.room, *resume, "--image-size", "200"), "image size 240, now it is 200")
    refused(ace_here("map", tmp_path, *resume), str(tmp_path))
    other = tmp_path / "other"
    shutil.copytree(place.room, other)
    refused(ace_here("map", other, *resume), f"recording {place.room}, now it is {other}")
    assert "keeps" not in ace_here("map", other, *resume).stderr
    done = succeeded(ace_here("map", place.room, *resume[:-1]))
    assert "48 frames of an interrupted run" in done.stderr and "are gone" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors", "other"}
    assert "nothing to go on with" in succeeded(ace_here("map", place.room, *resume)).stderr


def test_places_are_built_by_workers(place, tmp_path):
    output = tmp_path / "m.safetensors"
    command = ("map", place.room, "-o", output, *QUICK, "--workers", "1")
    done = succeeded(ace(*command))
    assert "building" in done.stderr and "expected accuracy" in done.stdout
    workers_map = tensors(output)
    refused(ace_here(*command, "--cluster", "tcp://127.0.0.1:9"), "--workers: a cluster has its own")
    # Stopped, it takes its workers along.
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, command), "--steps", "100000"], stderr=subprocess.PIPE, text=True
    )
    children = []
    while not children and process.poll() is None:
        time.sleep(0.1)
        tree = below(process.pid)
        children = [child for child, times in asked(tree, psutil.Process.cpu_times) if times.user > 5]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said.rstrip().endswith("the same command with --resume goes on")
    gone, left = psutil.wait_procs(tree, timeout=20)
    assert len(gone) == len(tree) and not left
    assert tensors(output) == workers_map


def test_another_recording_in_the_same_place_is_not_gone_on_with(place, tmp_path):
    room = shutil.copytree(place.room, tmp_path / "room")
    workspace = Workspace(tmp_path / "m")
    workspace.claim(version=__version__, recording=str(room))
    mapper = Mapper(MapOptions(device="cpu", image_size=240), workspace=workspace)
    for frame in open_recording(room, "train").frames[:12]:
        mapper.add(frame.read(), frame.camera, frame.map_from_camera, frame.name)
    workspace.close()
    frame = open_recording(room, "train").frames[5]
    (pose,) = room.glob(f"train/poses/{Path(frame.name).stem.split('.')[0]}*")
    np.savetxt(pose, frame.map_from_camera + np.pad([[0.1]], ((0, 3), (3, 0))))
    done = ace_here("map", room, "-o", tmp_path / "m", *QUICK, "--resume")
    refused(done, "is not what was read before", frame.name, "begin anew without --resume")


def test_ctrl_c_from_outside_while_it_starts_or_works(place, tmp_path):
    started = "print('up', flush=True);" + PROGRAM
    command = [sys.executable, "-c", started, "map", str(place.room), "-o", str(tmp_path / "m")]
    for seconds in (0.5, 4.0):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 130, said
        assert "stopped; nothing was written" in said.splitlines()[-1] and "Traceback" not in said
    assert not (tmp_path / "m").exists()
