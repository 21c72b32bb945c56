"""The benchmarks' own arithmetic, a few drives, and that the benchmark for GPUs runs where there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from map_making import made_map
from online_making import COVARIANCE, off, pose
from scene_making import colmap_scene

from ace_ros.localization.alternatives import Alternative
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.recordings import open_recording

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "bench").is_dir(), reason="bench/ is not beside the tests")


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def _row(**changes):
    row = {
        "method": "ours", "scene": "room", "settings": {}, "threads": 1, "metric": True, "median_depth": 2.0,
        "errors": [[0.004, 0.1], [0.015, 0.5], None], "head_errors": [[0.02, 0.5], [0.03, 0.5], None],
        "states": {}, "seconds": 10.0, "cpu_seconds": 12.0, "query_ms": 20.0, "query_cpu_ms": 30.0,
        "head_query_ms": 15.0, "head_query_cpu_ms": 20.0,
        "map_bytes": 2e6, "peak_rss_bytes": 1e9, "landmarks": 100, "frames": 100,
        "machine": "m", "date": "2026-01-01", "commit": "c", "load_before": 0.1,
    }  # fmt: skip
    return {**row, **changes}


def test_measured_again_a_row_takes_the_place_of_the_old_one(tmp_path):
    from bench import store

    store.add(_row(seconds=10.0), tmp_path)
    store.add(_row(settings={"steps": 5}), tmp_path)
    rows = store.add(_row(seconds=20.0), tmp_path)
    assert [row["seconds"] for row in rows] == [10.0, 20.0]
    assert store.load(tmp_path) == rows


def test_a_query_without_a_pose_counts_as_infinitely_far_off():
    from bench import plan, report

    assert plan.median([[0.1, 1.0], None, None]) == np.inf
    text = "\n".join(report.tables([_row()], {"room": 1.0}))
    assert "| ours, defaults | 1.50 cm, 0.50 deg | 66.7 % | 66.7 % | 33.3 % |" in text


def test_accuracy_is_measured_by_queries_whose_truth_was_confirmed(tmp_path):
    """A list of them takes nothing back that the recording's own list keeps from the map."""
    from bench import scenes

    names = tuple(f"{index}.png" for index in range(12))
    for scene, asked in (("other", names[4:]), ("tello_moved", names[6:8])):
        folder = colmap_scene(tmp_path / scene, names=names)
        (folder / "test.txt").write_text("\n".join(names[4:]))
        (folder / "test_strong.txt").write_text("\n".join(names[6:8]))
        assert [frame.name for frame in scenes.mapping_frames(folder).frames] == list(names[:4])
        assert [frame.name for frame in scenes.query_frames(folder)] == list(asked)
        assert [frame.name for frame in scenes.mapping_frames(folder, 3).frames] == ["0.png", "2.png", "3.png"]


def test_stretches_of_the_drive_are_kept_out_of_the_map(tmp_path):
    from bench import scenes

    frames = open_recording(
        colmap_scene(tmp_path, names=tuple(f"{index:02d}.png" for index in range(18))), "all"
    ).frames
    mapping, queries = scenes.block_split(frames, 2)
    assert [frame.name[:2] for frame in queries] == ["03", "04", "05", "12", "13", "14"]
    assert [frame.name for frame in frames if frame not in queries] == [frame.name for frame in mapping]


def test_a_recording_anywhere_is_measured_on_by_its_folder(tmp_path, monkeypatch):
    from bench import scenes

    mine = tmp_path / "my office"
    mine.mkdir()
    assert scenes.find([str(mine)], tmp_path) == {"my office": mine}
    monkeypatch.chdir(mine)
    assert list(scenes.find(["."], tmp_path)) == ["my office"]
    with pytest.raises(SystemExit, match="no scene and no folder 'my offices'"):
        scenes.find(["my offices"], tmp_path)


def test_a_window_is_driven_along_the_stretches_that_a_map_leaves_out(tmp_path):
    from bench import window_drives

    names = tuple(f"{index:02d}.png" for index in range(37))
    (tmp_path / "stretches").mkdir()
    made_map().save(tmp_path / "stretches" / "place.safetensors")  # kept from before
    folder = colmap_scene(tmp_path / "place", names=names)
    (folder / "test.txt").write_text(names[-1])
    scene_map, drive, metric = window_drives.stretches(folder, "place", tmp_path)
    assert scene_map.header == made_map().header and not metric
    asked = [[shot.frame.name for shot in part] for part in drive]
    assert asked == [[names[first], names[first + 1]] for first in (2, 8, 14, 20, 26, 32)]
    assert [shot.stamp for shot in drive[0]] == [0.0, 0.25] and all(shot.asked for part in drive for shot in part)


def test_the_recipe_is_measured_until_it_reaches_our_head_alone():
    from bench import plan

    rows = [_row()]
    extent = plan.Extent()
    asked = []
    for method, settings in plan.jobs("recipe", Path("room"), True, rows, extent):
        asked.append(settings["seconds"])
        good = settings["seconds"] >= 40
        rows.append(_row(method=method, settings=settings, errors=[[0.03 if good else 0.2, 1.0]] * 3))
    assert asked == [10, 20, 40]


def test_the_recipes_measurements_of_another_scene_count_for_nothing():
    from bench import plan

    elsewhere = [_row(method="recipe", scene="hall", settings={"seconds": s, "clock": "wall"}) for s in (10, 20, 40)]
    asked = [
        settings["seconds"]
        for _, settings in plan.jobs("recipe", Path("room"), True, [_row(), *elsewhere], plan.Extent())
    ]
    assert asked == [10, 20, 40, 80, 160, 320]


def test_the_recipes_loss_is_zero_at_the_truth_and_pulls_what_lies_behind():
    import torch

    from bench.recipe import Samples, one_cycle, recipe_loss

    normalised = torch.tensor([[0.1, -0.2], [0.3, 0.0]])
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    rotation = rotation * torch.det(rotation).sign()
    centre = torch.tensor([1.0, 2.0, 3.0])
    view, focals = torch.zeros(2).long(), torch.full((1,), 500.0)
    samples = Samples(torch.zeros(2, 4), normalised, view, rotation[None], centre[None], focals)
    truth = centre + 4.0 * torch.cat([normalised, torch.ones(2, 1)], 1) @ rotation.T
    index = torch.arange(2)
    assert recipe_loss(truth, samples, index, 50.0) < 1e-2
    behind = centre - (truth - centre)
    assert recipe_loss(behind, samples, index, 50.0) > 10
    assert one_cycle(0.3) == pytest.approx(1.0)
    assert one_cycle(1.0) == pytest.approx(0.0)


def test_cells_know_where_they_came_from_whatever_the_augmentation():
    from ace_ros.camera import Camera
    from bench.recipe import _augmented

    class Encoder:
        device = "cpu"

        def cells(self, grey):
            import torch

            height, width = grey.shape[0] // 8, grey.shape[1] // 8
            blocks = grey.reshape(height, 8, width, 8).astype(np.float32).mean((1, 3))
            return torch.from_numpy(blocks.reshape(-1, 1))

    camera = Camera(320, 240, 300.0, 300.0, 150.0, 120.0)
    y, x = np.mgrid[:240, :320]
    ramp = (50 + 0.3 * x + 0.2 * y).astype(np.uint8)  # the mean of a cell is its value at the centre
    features, normalised, focal = _augmented(ramp, camera, Encoder(), _Calm())
    pixels = normalised.numpy() * 300.0 + (150.0, 120.0)
    expected = 50 + 0.3 * pixels[:, 0] + 0.2 * pixels[:, 1]
    assert len(features) > 100 and focal == pytest.approx(300 * 0.8)
    interior = ((pixels > 12) & (pixels < (307, 227))).all(1)
    assert np.abs(features.numpy()[interior, 0] - expected[interior]).max() < 2.0


class _Calm:
    """Scale 0.8, 12 degrees, no change of light."""

    def __init__(self) -> None:
        self._values = iter((0.8, 12.0, 1.0, 0.0))

    def uniform(self, low, high):
        return next(self._values)


@pytest.mark.slow
def test_the_gpu_benchmark_runs_on_a_cpu():
    command = [sys.executable, "-m", "bench.gpu", "--device", "cpu", "--steps", "few"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout.splitlines()[-1])
    assert row["note"].startswith("no GPU")
    assert [rung["steps"] for rung in row["ours"]["rungs"]] == [10, 20]
    assert all(rung["median"] < 0.1 for rung in row["ours"]["rungs"])
    assert row["recipe"]["rungs"][0]["samples"] >= 1024


def test_what_is_wrong_and_sure_and_how_many_an_ellipsoid_holds():
    from bench import honesty

    def asked(translation=0.0, rotation=0.0, nees=5.0, depth=10.0, metric=True):
        return honesty.Asked("a.png", True, 0.95, translation, rotation, nees, depth, metric)

    # 10 cm and 2 % of the depth where there is scale, else 5 % of it; 5 degrees anywhere.
    assert [asked(0.19).wrong, asked(0.21).wrong, asked(0.09, depth=1.0).wrong, asked(0.11, depth=1.0).wrong] == [
        False, True, False, True,
    ]  # fmt: skip
    assert [asked(0.49, metric=False).wrong, asked(0.51, metric=False).wrong] == [False, True]
    assert asked(rotation=5.1).wrong and not asked(rotation=4.9).wrong
    row = honesty.summary([asked(), asked(0.3, nees=13.0), asked(0.04, nees=12.0), asked(0.06, nees=1.0)])
    assert (row["localized"], row["within_5"], row["ellipsoid"], len(row["wrong"])) == (4, 2, 0.75, 1)
    assert honesty.summary([])["localized"] == 0


def _driven(rng, start, length=120, turn=2.0, alternatives=(), covariance=COVARIANCE):
    """Images along an arc; ``alternatives``: from the true place to others that each image fits as well."""
    from bench.drives_robot import BASE_FROM_CAMERA, Frame

    frames, base = [], start
    for _ in range(length):
        camera = off(base @ BASE_FROM_CAMERA, covariance, rng)
        points = camera[:3, 3] + rng.normal(0, 2.0, (50, 3))
        fitted = tuple(
            Alternative(shift @ camera, covariance, place, 0.5, 0.999999) for place, shift in enumerate(alternatives)
        )
        reason = Reason.AMBIGUOUS if fitted else Reason.NONE
        answer = Localization(
            State.UNCERTAIN if fitted else State.LOCALIZED, "", reason, camera, covariance, 0.5 if fitted else 0.999999,
            50, 50, 0.5, np.zeros((50, 2)), points, np.ones(50, bool), {}, place=0, alternatives=fitted,
        )  # fmt: skip
        frames.append(Frame(base @ BASE_FROM_CAMERA, answer))
        base = base @ pose(0.05, yaw=turn)
    return frames


def test_drives_are_counted_by_what_became_of_them(capsys):
    from bench import drives

    rng = np.random.default_rng(0)
    twins = (pose(), pose(x=20.0))
    stretches = [
        _driven(rng, pose()),
        _driven(rng, pose(x=9.0), turn=-2.0),
        _driven(rng, pose(y=9.0), alternatives=twins),
    ]
    localizer = Localizer(made_map(), device="cpu")
    figures = drives.measured(stretches, [_driven(rng, pose(), 200)], localizer, drives=6)
    assert (figures["images"], figures["localized"], figures["ambiguous"]) == (360, 240, 120)
    for name in ("smoothness", "smoothness, odometry that drifts alike only"):
        row = figures[name]
        assert row["poses"] == 49 and all(0.0 < ratio < 1.0 for ratio in row["ratio"])
        assert row["largest_step"][0] < 0.02 and row["ellipsoid holds the truth"] > 0.8
        assert len(row["nees, median and 95 %"]) == 2
    rows = {name: row for name, row in figures.items() if name.startswith(("cold starts", "kidnappings"))}
    assert len(rows) == 2 * len(drives.WAYS)
    for name, row in rows.items():
        assert row["drives"] == 6 and row["poses told"] > 0 and row["seconds to the first, median"] < 6.0
        assert row["of these wrong"] == 0 or "believed at once" in name
        assert row["of these undecidable"] <= row["none within 6 s"]
    assert (
        rows["cold starts, as they are"]["of these undecidable"] == rows["cold starts, as they are"]["none within 6 s"]
    )
    assert capsys.readouterr().out.count("kidnappings") == len(drives.WAYS)


def test_a_drive_in_one_of_two_twins_is_undecidable_until_an_image_fits_only_one():
    from bench.drives_robot import undecided_by_itself

    rng = np.random.default_rng(1)
    twins, alone = _driven(rng, pose(), 20, alternatives=(pose(), pose(x=20.0))), _driven(rng, pose(), 1)
    refuting = _driven(rng, pose(x=2.0), 5, alternatives=(pose(), pose(y=7.0)))
    assert undecided_by_itself(twins, 5) and undecided_by_itself([], 5)
    assert not undecided_by_itself([*twins, *alone], 5)
    assert undecided_by_itself([*twins, *refuting[:4]], 5) and not undecided_by_itself([*twins, *refuting], 5)


def test_what_other_code_has_made_is_made_anew(tmp_path, monkeypatch):
    from bench import drives, measure

    (tmp_path / "ace_ros" / "map").mkdir(parents=True)
    (tmp_path / "ace_ros" / "map" / "header.py").write_text("VERSION = 1")
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    before = drives._code("map")
    assert drives._code("map") == before
    (tmp_path / "ace_ros" / "map" / "header.py").write_text("VERSION = 2")
    assert drives._code("map") != before


@pytest.mark.parametrize(("name", "says"), [("trust", "--every"), ("honesty", "--blocks")])
def test_every_bench_is_found_by_its_name(name, says):
    done = subprocess.run(
        [sys.executable, "-m", "bench", name, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and says in done.stdout and "--stages" not in done.stdout


@pytest.mark.parametrize("length", [3, 15, 24, 38])
@pytest.mark.parametrize("angle", [0.0, 0.4, 0.785, 1.571, 2.6])
def test_a_smear_moves_nothing(length, angle):
    """Or the true pose of what is smeared would be another: half a pixel is more than patches are off."""
    import cv2

    from bench.trust import smear

    dot = np.zeros((101, 101), np.float32)
    dot[50, 50] = 1.0
    smeared = cv2.filter2D(dot, -1, smear(length, angle))
    rows, columns = np.indices(dot.shape)
    assert smeared.sum() == pytest.approx(1.0, abs=1e-5)
    assert (smeared * rows).sum() == pytest.approx(50.0, abs=1e-3)
    assert (smeared * columns).sum() == pytest.approx(50.0, abs=1e-3)
    lit = np.argwhere(smeared > 1e-5)  # large kernels are applied by FFT, which leaves traces
    assert np.hypot(*np.ptp(lit, axis=0)) == pytest.approx(length, abs=1.5)
