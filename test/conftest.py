"""What many tests share."""

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ace_ros.camera import Camera
from ace_ros.generated import make_courtyard, make_room, make_wide_room
from ace_ros.generated.wide import FISHEYES
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.recordings import open_recording

os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)  # as make has it: PyPI's ROS lies in the environment

# Fixtures that render or map a scene, or are there for a node's process; tests that use one are slow by themselves.
SLOW = {
    "room", "courtyard", "mapped_room", "small_room", "small_courtyard", "building", "small_building", "place",
    "good_map", "domain", "wide_room", "tiny_maps",
}  # fmt: skip
Frame = tuple[np.ndarray, Camera, np.ndarray]  # pixels, camera, map_from_camera


@dataclass(frozen=True)
class MappedRoom:
    """The generated room with a quickly made map of it, and all its frames in memory."""

    map: Path
    mapping: list[Frame]
    queries: list[Frame]


# Files whose tests talk over DDS: what only computes is not to take their time.
ALONE = ("test_nodes_", "test_evaluation_live", "test_standalone_")


if importlib.util.find_spec("rclpy") is None:  # `make test-floor` has the library alone
    collect_ignore_glob = [*(f"{name}*" for name in ALONE), "test_options.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and SLOW.intersection(item.fixturenames):
            item.add_marker(pytest.mark.slow)
        if item.path.name.startswith(ALONE):
            item.add_marker(pytest.mark.alone)


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """What all workers of pytest-xdist use, made by the first that needs it."""
    base = factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{path}.lock"):
        if not path.exists():
            part = path.with_name(f"part_of_{name}")
            make(part)
            part.rename(path)
    return path


@pytest.fixture(scope="session")
def scenes_dir() -> Path:
    """Real recordings, which are not part of the project."""
    for folder in Path(__file__).resolve().parents:
        if (scenes := folder / "shared" / "scenes").is_dir():
            return scenes
    pytest.skip("there are no real recordings in ../shared/scenes")


def _recording(scenes_dir: Path, name: str) -> Path:
    if not (scenes_dir / name).is_dir():
        pytest.skip(f"there is no {scenes_dir / name}")
    return scenes_dir / name


@pytest.fixture(scope="session")
def redkitchen(scenes_dir: Path) -> Path:
    """ACE's layout, metric."""
    return _recording(scenes_dir, "redkitchen")


@pytest.fixture(scope="session")
def fox(scenes_dir: Path) -> Path:
    """nerfstudio's layout, with images missing."""
    return _recording(scenes_dir, "fox")


@pytest.fixture(scope="session")
def bonsai(scenes_dir: Path) -> Path:
    """COLMAP's layout, with a list of queries."""
    return _recording(scenes_dir, "bonsai")


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated room on disk, ACE's layout: 200 mapping frames, 60 queries."""
    return _once(tmp_path_factory, "room", make_room)


@pytest.fixture(scope="session")
def wide_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The room through a fisheye of 180 degrees on disk, nerfstudio's layout: 50 mapping frames, 12 queries."""
    return _once(
        tmp_path_factory, "wide_room", lambda path: make_wide_room(path, FISHEYES[180].resized(400, 300), 50, 12)
    )


@pytest.fixture(scope="session")
def courtyard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated courtyard on disk, COLMAP's layout, arbitrary units: 100 photographs to map from, 20 queries."""
    return _once(tmp_path_factory, "courtyard", make_courtyard)


@pytest.fixture(scope="session")
def mapped_room(room: Path, tmp_path_factory: pytest.TempPathFactory) -> MappedRoom:
    """A map that localizes every query; made by the library alone."""
    frames = {
        split: [(frame.read(), frame.camera, frame.map_from_camera) for frame in open_recording(room, split).frames]
        for split in ("train", "test")
    }

    def make(path: Path) -> None:
        mapper = Mapper(MapOptions(steps=300, landmark_views=100, samples=300, batch=1024, width=128))
        for index, frame in enumerate(frames["train"][::2]):
            mapper.add(*frame, name=str(index))
        path.mkdir()
        mapper.build().save(path / "room.safetensors")

    path = _once(tmp_path_factory, "maps", make) / "room.safetensors"
    return MappedRoom(path, frames["train"], frames["test"])
