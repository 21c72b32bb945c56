"""Maps of a robot: names that stay inside one folder, and from a file to a localizer."""

import shutil

import pytest
from core_making import small_room
from map_making import with_header

from ace_ros.errors import InputError, MapFileError
from ace_ros.files import fingerprint
from ace_ros.localization.state import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.online.loading import load_map
from ace_ros.online.map_watch import FileVersion, MapWatch
from ace_ros.online.maps_dir import find_map, map_path


def test_map_names_stay_inside(tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    (maps / "link").symlink_to(tmp_path / "outside")
    assert map_path(maps, "kitchen") == maps / "kitchen.safetensors"
    assert map_path(maps, "kitchen.safetensors") == maps / "kitchen.safetensors"
    assert map_path(maps, "floor1/kitchen") == maps / "floor1" / "kitchen.safetensors"
    assert map_path(maps, str(maps / "kitchen")) == maps / "kitchen.safetensors"
    for name in ("", " ", ".", "..", "a/..", "../x", "inside/../../x", "/etc/x", "link/x", "a/", "a\0b", "x" * 300):
        with pytest.raises(InputError, match="map name"):
            map_path(maps, name)


def test_the_robots_owner_may_name_any_file(tmp_path):
    elsewhere = tmp_path / "elsewhere.safetensors"
    assert find_map(tmp_path / "maps", str(elsewhere)) == elsewhere
    assert find_map(tmp_path / "maps", str(elsewhere.with_suffix(""))) == elsewhere
    assert find_map(tmp_path / "maps", "kitchen") == tmp_path / "maps" / "kitchen.safetensors"
    odd = tmp_path / "odd.map"
    odd.touch()
    assert find_map(tmp_path, str(odd)) == odd
    with pytest.raises(InputError, match="leads out"):
        find_map(tmp_path / "maps", "../elsewhere")


def test_a_loaded_map_localizes_and_has_an_identity(tmp_path):
    room = small_room()
    room.map.save(tmp_path / "room.safetensors")
    loaded = load_map(tmp_path / "room.safetensors", device="cpu")
    assert loaded.name == "room" and len(loaded.identity) == 16
    assert loaded.localizer.localize(room.images[0], room.camera).state is State.LOCALIZED
    same = tmp_path / "same.safetensors"
    same.write_bytes((tmp_path / "room.safetensors").read_bytes())
    assert load_map(same).identity == loaded.identity
    with pytest.raises(MapFileError, match="nowhere"):
        load_map(tmp_path / "nowhere.safetensors")


def test_a_file_that_changes_is_noticed_once_it_rests(tmp_path):
    file, other = tmp_path / "room.safetensors", tmp_path / "other"
    file.write_bytes(b"one")
    watch = MapWatch(file, FileVersion.of(file))
    assert not watch.changed() and not watch.changed()
    with file.open("ab") as growing:
        for _ in range(3):
            growing.write(b"piece")
            growing.flush()
            assert not watch.changed()
    assert watch.changed() and not watch.changed()
    other.write_bytes(file.read_bytes())
    other.replace(file)  # of the same size
    assert [watch.changed() for _ in range(3)] == [False, True, False]
    file.unlink()
    assert not watch.changed() and not watch.changed()
    before = FileVersion.of(file)
    assert before is None
    file.write_bytes(b"two")
    assert [MapWatch(file, before).changed(), watch.changed(), watch.changed()] == [False, False, True]


def test_a_map_that_is_replaced_while_it_is_read(tmp_path, monkeypatch):
    """The localizer and the fingerprint are of one file; what never comes to rest is told."""
    path, other = tmp_path / "room.safetensors", tmp_path / "other"
    small_room().map.save(path)
    with_header(small_room().map, map_frame="elsewhere").save(other)
    load, left = SceneMap.load, [1]

    def replaced(file):
        found = load(file)
        if left[0]:
            left[0] -= 1
            shutil.copy(other, tmp_path / "new")
            (tmp_path / "new").replace(path)
        return found

    monkeypatch.setattr(SceneMap, "load", replaced)
    loaded = load_map(path, device="cpu")
    assert loaded.scene_map.header.map_frame == "elsewhere" and loaded.identity == fingerprint(other)
    left[0] = 100
    with pytest.raises(MapFileError, match="again and again"):
        load_map(path, device="cpu")
