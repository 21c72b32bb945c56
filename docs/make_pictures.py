"""Makes the pictures of the documentation from the generated room: ``.venv/bin/python docs/make_pictures.py``.

``docs/pictures/trajectory.png`` is what ``make demo`` leaves in ``demo_out/``.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image as PillowImage

from ace_ros.evaluation.metrics import FrameResult, summarize
from ace_ros.evaluation.report import report_files
from ace_ros.evaluation.run import evaluate
from ace_ros.generated import make_room
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.recordings import PosedFrame, Recording, open_recording
from ace_ros.visual.cloud import map_cloud
from ace_ros.visual.gallery import draw
from ace_ros.visual.plots import draw_path
from ace_ros.web.options import ServerOptions
from ace_ros.web.pictures import jpeg, points_seen_from_above
from ace_ros.web.server import Server
from ace_ros.web.view import Heard, Localization, Mapping, PlanarPose, Trail, View, heading

PICTURES = Path(__file__).parent / "pictures"
PART = 60  # of 200 frames


def main() -> None:
    matplotlib.use("Agg")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        room = make_room(Path(folder) / "room")
        drive, queries = open_recording(room, "train"), open_recording(room, "test")
        contact_sheet(drive.frames[::25])
        part = map_of(drive.frames[:PART])
        whole = map_of(drive.frames)
        found = compare_drives(part, whole, drive.frames, queries)
        inliers(Localizer(whole), queries.frames[len(queries.frames) // 2])
        report(whole, found, queries, Path(folder))
        page(whole, drive.frames, queries.frames, Path(folder))


def map_of(frames: Sequence[PosedFrame]) -> SceneMap:
    mapper = Mapper()
    for frame in frames:
        assert frame.map_from_camera is not None
        mapper.add(frame.read(), frame.camera, frame.map_from_camera, frame.name)
    return mapper.build()


def contact_sheet(frames: Sequence[PosedFrame]) -> None:
    """What the camera saw on the mapping drive."""
    small = [cv2.resize(frame.read(), (320, 240), interpolation=cv2.INTER_AREA) for frame in frames[:8]]
    save_jpeg("views.jpg", np.vstack([np.hstack(small[:4]), np.hstack(small[4:])]))


def compare_drives(
    part: SceneMap, whole: SceneMap, drive: Sequence[PosedFrame], queries: Recording
) -> list[FrameResult]:
    """The same queries in the map of a part of the drive and of the whole one; the results of the latter."""
    figure = Figure(figsize=(11, 5), dpi=90, layout="constrained")
    results: list[FrameResult] = []
    for axes, scene_map, frames, title in zip(
        figure.subplots(1, 2), (part, whole), (drive[:PART], drive), ("not half a round", "one and a half rounds"),
        strict=True,
    ):  # fmt: skip
        localizer = Localizer(scene_map)
        results = evaluate(localizer, queries.frames).results
        draw_path(axes, results, map_cloud(localizer, frames[::5], 15_000), metric=True)
        path = np.array([f.map_from_camera[:2, 3] for f in frames if f.map_from_camera is not None])
        axes.plot(*path.T, color="#7b8798", linewidth=1, linestyle="--", label="mapping drive")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
        figures = summarize(results, True, scene_map.header.median_depth)
        axes.set_title(f"{title}: {figures['localized']} of {figures['frames']} queries localized", pad=30)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    save_png("drives.png", picture.getvalue(), colours=256)
    return results


def inliers(localizer: Localizer, frame: PosedFrame) -> None:
    """What one query was recognised by."""
    image = frame.image()
    save_jpeg("inliers.jpg", draw(image, localizer.localize(image.pixels, image.camera), 640))


def report(scene_map: SceneMap, results: list[FrameResult], queries: Recording, folder: Path) -> None:
    """The report as Chromium shows it."""
    figures = summarize(results, True, scene_map.header.median_depth)
    figures |= {"map": "room.safetensors", "scene": "room", "split": "test"}
    localizer = Localizer(scene_map)
    file = folder / "report.html"
    file.write_bytes(report_files(figures, results, localizer, queries, asdict(localizer.options))["report.html"])
    photograph("report.png", f"{file.as_uri()}?theme=light", "1200,1240", folder)


def page(scene_map: SceneMap, drive: Sequence[PosedFrame], queries: Sequence[PosedFrame], folder: Path) -> None:
    """What web_node shows of a robot on the queries' drive, served without a robot."""
    localizer = Localizer(scene_map)
    trail = Trail()
    for frame in queries[: len(queries) // 2]:
        image = frame.image()
        found = localizer.localize(image.pixels, image.camera)
        if found.map_from_camera is not None and found.covariance is not None:
            x, y, z = found.map_from_camera[:3, 3]
            ellipse = tuple(found.covariance[(0, 0, 1), (0, 1, 1)])
            pose = PlanarPose(x, y, z, heading(found.map_from_camera[:3, :3]), ellipse)
            trail.add(pose)
    said = Localization(
        "localized", confidence=found.confidence, inliers=found.inliers, candidates=found.candidates,
        translation_stddev=float(np.sqrt(sum(ellipse[::2]))), latency=0.05, map_name="room", map_frame="map",
    )  # fmt: skip
    held = scene_map.header.held_back
    mapping = Mapping(
        "ready", "the map is saved", 667, len(drive), map_name="room", held_back_frames=held.frames, built="room",
        held_back_localized=held.localized / held.frames, held_back_translation=held.median_translation or 0.0,
    )  # fmt: skip
    view = View(
        "rover", Heard("localization_node", True, 0.0, said), Heard("mapping_node", True, 0.0, mapping), pose,
        picture="what localization_node recognises: green fits the pose, red does not",
    )  # fmt: skip
    cloud = map_cloud(localizer, drive[::5], 15_000)
    server = Server(ServerOptions(port=0), set(), lambda name: (False, ""))
    server.show("view", view.json())
    server.show("trail", trail.json())
    server.show("cloud", points_seen_from_above(cloud.points.astype(np.float32), cloud.colours))
    server.show("image", jpeg(draw(image, found, 640), 640))
    photograph("web.jpg", server.address, "1200,780", folder, milliseconds=2000)  # the picture is not old by then
    server.close()


def photograph(name: str, address: str, size: str, folder: Path, milliseconds: int = 4000) -> None:
    """A page as Chromium shows it after a while, where there is one."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print(f"no Chromium here: {name} is left as it is")
        return
    shot = folder / "shot.png"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}"]
    command += [
        f"--user-data-dir={folder / 'profile'}",
        f"--virtual-time-budget={milliseconds}",
        f"--screenshot={shot}",
    ]
    subprocess.run([*command, address], check=True, capture_output=True, timeout=120)
    if name.endswith("png"):
        save_png(name, shot.read_bytes())
    else:
        save_jpeg(name, np.array(PillowImage.open(shot).convert("RGB")))


def save_jpeg(name: str, image: np.ndarray) -> None:
    PillowImage.fromarray(image).save(PICTURES / name, quality=80, optimize=True)


def save_png(name: str, data: bytes, colours: int = 0) -> None:
    """With few ``colours`` a cloud of points takes a third of the space."""
    picture = PillowImage.open(io.BytesIO(data)).convert("RGB")
    picture = picture.quantize(colours, dither=PillowImage.Dither.NONE) if colours else picture
    picture.save(PICTURES / name, optimize=True)


if __name__ == "__main__":
    main()
