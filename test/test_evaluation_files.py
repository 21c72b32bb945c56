"""What is written: trajectories that evo reads, point clouds, a page that needs no network."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import FrameResult, errors, summarize
from ace_ros.evaluation.report import render
from ace_ros.evaluation.report_data import frame_rows, packed_cloud
from ace_ros.evaluation.trajectory import tum_text
from ace_ros.recordings.posed_frame import PosedFrame
from ace_ros.recordings.prefetch import prefetched
from ace_ros.visual.cloud import Cloud, colours_at, ply_bytes
from ace_ros.visual.plots import trajectory_png


def results(count=40, seed=3):
    """A walk in a circle, each pose off by a little; the last one lost."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        truth, estimate = np.eye(4), np.eye(4)
        turn = Rotation.from_euler("xz", [-110, 360 * index / count], degrees=True)
        truth[:3, :3] = turn.as_matrix()
        truth[:3, 3] = (3 * np.cos(index / 5), 3 * np.sin(index / 5), 1.5)
        estimate[:3, :3] = Rotation.from_rotvec(rng.normal(size=3) * 0.01).as_matrix() @ truth[:3, :3]
        estimate[:3, 3] = truth[:3, 3] + rng.normal(size=3) * 0.02
        lost = index == count - 1
        found.append(
            FrameResult(
                name=f"<frame {index}>", stamp=1_700_000_000_123_456_789 + index * 33_333_333, truth=truth,
                state="LOST" if lost else "LOCALIZED", reason="too few inliers" if lost else "",
                estimate=None if lost else estimate, covariance=None if lost else np.eye(6) * 1e-4,
                confidence=0.1 if lost else 0.9, inliers=100, candidates=200, seconds=0.02,
            )
        )  # fmt: skip
    return found


def test_tum_lines_keep_nanoseconds_and_unit_quaternions():
    text = tum_text([(1_700_000_000_000_000_001, results()[5].truth)])
    numbers = text.split()
    assert numbers[0] == "1700000000.000000001"
    assert np.linalg.norm([float(v) for v in numbers[4:]]) == pytest.approx(1.0, abs=1e-8)
    assert text.count("\n") == 1


def test_evo_reads_the_trajectories_and_finds_the_same_errors(tmp_path):
    """evo as a program of its own: absolute pose errors without alignment are our translation errors."""
    evo = shutil.which("evo_ape", path=str(Path(sys.executable).parent))
    if evo is None:
        pytest.skip("evo is not installed beside this Python")
    found = results()
    posed = [r for r in found if r.has_pose]
    (tmp_path / "true.tum").write_text(tum_text((r.stamp, r.truth) for r in found))
    (tmp_path / "estimated.tum").write_text(tum_text((r.stamp, r.estimate) for r in posed))
    command = [evo, "tum", "true.tum", "estimated.tum", "--t_max_diff", "0.0001"]
    for relation, column in (("trans_part", 0), ("angle_deg", 1)):
        done = subprocess.run(
            [*command, "--pose_relation", relation], cwd=tmp_path, capture_output=True, text=True, timeout=300,
            env={"HOME": str(tmp_path), "MPLBACKEND": "Agg", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        said = {name: float(value) for name, value in re.findall(r"(\w+)\t([\d.]+)", done.stdout)}
        ours = errors(posed)[:, column]
        assert said["median"] == pytest.approx(np.median(ours), abs=2e-6)
        assert said["max"] == pytest.approx(ours.max(), abs=2e-6)


def test_ply_holds_every_point_with_its_colour():
    rng = np.random.default_rng(0)
    cloud = Cloud(rng.normal(size=(50, 3)), rng.integers(0, 256, (50, 3)).astype(np.uint8))
    header, _, body = ply_bytes(cloud).partition(b"end_header\n")
    assert b"element vertex 50\n" in header and header.startswith(b"ply\nformat binary_little_endian 1.0\n")
    table = np.frombuffer(body, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    np.testing.assert_allclose(table["xyz"], cloud.points, rtol=1e-6)
    np.testing.assert_array_equal(table["rgb"], cloud.colours)


def test_colours_are_picked_at_pixels_and_grey_becomes_rgb():
    image = np.zeros((4, 6, 3), np.uint8)
    image[1, 5] = (10, 20, 30)
    np.testing.assert_array_equal(colours_at(image, np.array([[5.4, 0.6], [-3, 99]])), [[10, 20, 30], [0, 0, 0]])
    np.testing.assert_array_equal(colours_at(image[..., 2], np.array([[5.0, 1.0]])), [[30, 30, 30]])


LIVE = {
    "rate": 1.0, "seconds": 4.0, "frames_played": 60, "frames_processed": 40, "frames_dropped": 20,
    "frames_rejected": 0, "frames_not_received": 0, "poses": 39, "poses_hz": 9.5, "longest_gap_s": 0.4,
    "latency_ms": {"median": 60.0, "p95": 70.0, "max": 80.0},
    "tf": {"frames": 40, "known": 40, "median_translation": 0.01, "p95_translation": 0.02, "median_rotation_deg": 0.1,
           "p95_rotation_deg": 0.3},
}  # fmt: skip


def page(metric=True, cloud=None, live=False):
    found = results()
    if live:
        found = [replace(result, age=0.06 if result.has_pose else None) for result in found]
    cloud = cloud or Cloud(np.random.default_rng(0).normal(size=(100, 3)), np.zeros((100, 3), np.uint8))
    compared = {"names": ["<a>", "this run"], "lines": [("frames", [("40", False), ("40", True)])]}
    return render(
        {
            "title": "</script><b>&", "subtitle": "",
            "figures": summarize(found, metric, 2.0) | ({"live": LIVE} if live else {}),
            "frames": frame_rows(found, 1.0), "video": True, "cloud": packed_cloud(cloud, found),
            "compared": compared if live else {"names": [], "lines": []},
            "gallery": {"best": [], "worst": []}, "configuration": {"encoder": "<xfeat>"},
        }
    )  # fmt: skip


def test_the_page_needs_nothing_from_outside():
    text = page()
    assert "{{" not in text
    without_namespace = text.replace('"http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|@import|src=\"[^d]", without_namespace)


@pytest.mark.parametrize(("theme", "live"), [("light", False), ("dark", True)])
def test_the_page_draws_everything_in_a_browser_without_a_complaint(tmp_path, theme, live):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    (tmp_path / "report.html").write_text(page(live=live))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom",
         f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=3000",
         f"{(tmp_path / 'report.html').as_uri()}?theme={theme}"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and "CONSOLE" not in done.stderr, done.stderr
    assert f'data-theme="{theme}"' in done.stdout
    assert done.stdout.count("<svg ") == 7 + live and done.stdout.count("<circle ") >= 2 * 40
    assert done.stdout.count("<section") == 12 + 3 * live
    assert ("Through the nodes" in done.stdout) == live


def test_names_cannot_break_out_of_the_page():
    text = page()
    assert text.count("</script>") == 5
    assert "<b>" not in text and "<frame" not in text and "<xfeat>" not in text


def test_rows_say_none_where_there_is_no_pose():
    row = frame_rows(results(), 1.0)[-1]
    assert row["translation"] is None and row["estimate"] is None and row["nees"] is None
    assert row["state"] == "LOST" and row["reason"] == "too few inliers" and row["place"] is None
    assert frame_rows([replace(results()[0], place=3)], 1.0)[0]["place"] == 3


@pytest.mark.parametrize("points", [0, 500])
def test_a_picture_is_drawn(points):
    cloud = Cloud(np.random.default_rng(1).normal(size=(points, 3)), np.zeros((points, 3), np.uint8))
    assert trajectory_png(results(), cloud, metric=True).startswith(b"\x89PNG")


def test_prefetching_keeps_order_and_hands_errors_on():
    def frame(index):
        def read():
            if index == 3:
                raise InputError("truncated")
            return np.full((2, 2), index, np.uint8)

        return PosedFrame(str(index), index, Camera(2, 2, 1, 1, 0, 0), None, read)

    got = list(prefetched([frame(i) for i in range(8)]))
    assert [f.name for f, _ in got] == [str(i) for i in range(8)]
    assert [isinstance(image, InputError) for _, image in got] == [i == 3 for i in range(8)]
    assert got[7][1][0, 0] == 7
