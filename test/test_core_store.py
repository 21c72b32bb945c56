"""Views on disk: the same as in memory, whole or not there; and mapping that goes on where it was."""

import errno
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import QUICK, contents, small_room

from ace_ros.camera import Camera
from ace_ros.errors import MappingError
from ace_ros.features.features import EncodedImage, Features
from ace_ros.generated.trajectory import looking
from ace_ros.mapping import build, store
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.store import LOG, RECORDS, ViewStore
from ace_ros.mapping.views import View
from ace_ros.mapping.workspace import Workspace


def made_view(index, keypoints=50, dimensions=64, stamp=None):
    rng = np.random.default_rng(index)
    features = Features(
        torch.from_numpy(rng.normal(size=(keypoints, dimensions))).half(),
        torch.from_numpy(rng.uniform(0, 400, (keypoints, 2))).float(),
        torch.from_numpy(rng.uniform(0, 1, keypoints)).float(),
    )
    camera = Camera(640, 480, 500.1, 499.9, 320.3, 240.7, (0.1, -0.2, 0.001, 0.002))
    pose = looking(rng.normal(size=3) * 1e6 / 3, rng.normal(), 0.0)
    return View(
        f"frame \udce9 {index}",
        pose,
        EncodedImage(features, camera, 500 / 3, 31.7),
        -(2**63) + index,
        stamp,
        rng.bytes(100 * index),
    )


def same(one, other):
    assert (one.name, one.digest, one.stamp, one.stored) == (other.name, other.digest, other.stamp, other.stored)
    assert one.map_from_camera.tobytes() == other.map_from_camera.tobytes()
    a, b = one.encoded, other.encoded
    assert (a.camera, a.focal, a.contrast) == (b.camera, b.focal, b.contrast)
    for name in ("descriptors", "pixels", "scores"):
        x, y = getattr(a.features, name), getattr(b.features, name)
        assert x.dtype == y.dtype and x.shape == y.shape and torch.equal(x, y)
    return True


def filled(folder, views):
    kept = ViewStore(folder)
    for view in views:
        kept.append(view)
    return kept


def test_views_come_back_bit_for_bit(tmp_path):
    views = [made_view(0, 50), made_view(1, 0), made_view(2, 33, 3), made_view(3, 1, 512, stamp=2**62)]
    kept = filled(tmp_path, views)
    for reader in (kept, ViewStore(tmp_path, writing=False), ViewStore(tmp_path)):
        assert len(reader) == 4 and all(map(same, reader, views)) and same(reader[-1], views[3])
        assert [view.name for view in reader[1:3]] == [view.name for view in views[1:3]]
        with pytest.raises(IndexError):
            reader[4]
    assert len({kept.identity(i) for i in range(4)}) == 4


def test_views_in_use_stay_when_their_memory_is_given_back(tmp_path):
    kept = filled(tmp_path, [made_view(0)])
    first = kept[0]
    kept.release()
    kept.append(made_view(1))
    assert same(kept[1], made_view(1)) and same(first, made_view(0))


@pytest.mark.parametrize("name", [RECORDS, LOG])
def test_a_view_is_whole_or_was_never_taken(tmp_path, name):
    """However much of the last view reached the disk, the others are there and the next takes its place."""
    views = [made_view(i, 5) for i in range(4)]
    filled(tmp_path, views[:2])
    before = {file: (tmp_path / file).stat().st_size for file in (RECORDS, LOG)}
    filled(tmp_path, [views[2]])
    whole = {file: (tmp_path / file).read_bytes() for file in (RECORDS, LOG)}
    for size in range(before[name], len(whole[name]), 7):
        for file, content in whole.items():
            (tmp_path / file).write_bytes(content[:size] if file == name else content)
        kept = ViewStore(tmp_path)
        assert len(kept) == 2
        kept.append(views[3])
        kept.close()
        assert all(map(same, ViewStore(tmp_path), [*views[:2], views[3]]))


def test_what_the_disk_lost_is_not_believed(tmp_path):
    """After a power failure the log may be there and the records not yet."""
    filled(tmp_path, [made_view(i) for i in range(3)])
    records = bytearray((tmp_path / RECORDS).read_bytes())
    records[len(records) // 2 :] = bytes(len(records) - len(records) // 2)
    (tmp_path / RECORDS).write_bytes(records)
    assert len(ViewStore(tmp_path)) == 1


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    kept = filled(tmp_path, [made_view(0), made_view(1)])
    room = [3000]

    def full(file, data, at, real=os.pwrite):
        data = bytes(data)[: min(len(data), room[0])]
        if not data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= len(data)
        return real(file, data, at)

    monkeypatch.setattr(store.os, "pwrite", full)
    with pytest.raises(MappingError, match=rf"{tmp_path}: .*No space left on device.* after 2; make room"):
        kept.append(made_view(2))
    room[0] = 10**9
    kept.append(made_view(3))
    assert [view.digest for view in kept] == [view.digest for view in map(made_view, (0, 1, 3))]
    assert all(map(same, ViewStore(tmp_path), map(made_view, (0, 1, 3))))


def test_one_process_at_a_time(tmp_path):
    first = Workspace(tmp_path / "m")
    with pytest.raises(MappingError, match=f"{tmp_path / 'm'}: another process is making this map"):
        Workspace(tmp_path / "m")
    first.remove()
    assert not list(tmp_path.iterdir())
    with pytest.raises(MappingError, match="there is no folder"):
        Workspace(tmp_path / "no" / "m")
    (tmp_path / "m.unfinished").write_text("a file of somebody's")
    with pytest.raises(MappingError, match=r"m\.unfinished: can't be used"):
        Workspace(tmp_path / "m")


def test_files_of_others_stay(tmp_path):
    workspace = Workspace(tmp_path / "m")
    theirs = workspace.folder / "notes.txt"
    theirs.write_text("not ours")
    workspace.remove()
    assert [path.name for path in workspace.folder.iterdir()] == ["notes.txt"]


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def mapper_of(room, frames, options=QUICK, workspace=None):
    mapper = Mapper(options, workspace=workspace)
    for index in frames:
        mapper.add(room.images[index], room.camera, room.poses[index], f"{index}", index)
    return mapper


def test_mapping_goes_on_where_it_was(room, tmp_path, monkeypatch):
    expected = mapper_of(room, range(0, 24, 2)).build()
    workspace = Workspace(tmp_path / "m")
    mapper_of(room, range(0, 14, 2), workspace=workspace)
    workspace.close()
    workspace = Workspace(tmp_path / "m", resume=True)
    mapper = mapper_of(room, range(14, 24, 2), workspace=workspace)
    assert [view.name for view in mapper.views] == [str(i) for i in range(0, 24, 2)]
    assert contents_of_file(mapper.build(), tmp_path) == contents_of_file(expected, tmp_path)
    workspace.close()
    # The place is done, and with the same options not built again.
    built = []
    monkeypatch.setattr("ace_ros.mapping.mapper.build_place", lambda *a: built.append(a) or build.build_place(*a))
    workspace = Workspace(tmp_path / "m", resume=True)
    again = mapper_of(room, [], workspace=workspace)
    assert contents_of_file(again.build(), tmp_path) == contents_of_file(expected, tmp_path) and not built
    workspace.close()
    workspace = Workspace(tmp_path / "m", resume=True)
    other = mapper_of(room, [], replace(QUICK, seed=1), workspace).build()
    assert built and contents_of_file(other, tmp_path) != contents_of_file(expected, tmp_path)
    more = mapper_of(room, [30], workspace=workspace)
    assert len(more) == 13 and more.build().header.frames == expected.header.frames + 1 and len(built) == 2
    workspace.remove()
    assert {path.name for path in tmp_path.iterdir()} == {"map"}


def contents_of_file(scene_map, folder):
    """As it is read from its file, and which frames it knows."""
    scene_map.save(folder / "map")
    loaded = type(scene_map).load(folder / "map")
    return contents(loaded), loaded.mapped.digests.tobytes(), loaded.mapped.stamps.tobytes()


def test_views_of_another_encoder_are_refused(room, tmp_path):
    workspace = Workspace(tmp_path / "m")
    workspace.claim(recording="here")
    mapper_of(room, [0], workspace=workspace)
    workspace.close()
    workspace = Workspace(tmp_path / "m", resume=True)
    with pytest.raises(MappingError, match=r"m\.unfinished: was begun with keypoints 300, now it is 200; .*--resume"):
        Mapper(replace(QUICK, keypoints=200), workspace=workspace)
    with pytest.raises(MappingError, match="begun with recording here, now it is there"):
        workspace.claim(recording="there")


def test_where_a_camera_hardly_moved(room):
    mapper = Mapper(QUICK)
    assert not mapper.hardly_moved(room.poses[0])
    for index in range(12):
        mapper.add(room.images[index], room.camera, room.poses[index])
    last = room.poses[11]
    for moved, turned, expected in ((0.0, 0.0, True), (0.01, 1.0, True), (0.01, 3.0, False), (0.3, 0.0, False)):
        pose = last @ looking((0.0, 0.0, 0.0), 0.0, 0.0).T @ looking((0.0, 0.0, 0.0), np.radians(turned), 0.0)
        pose[:3, 3] = last[:3, 3] + (moved, 0, 0)
        assert mapper.hardly_moved(pose) is expected, (moved, turned)
