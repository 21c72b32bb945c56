"""Places built by other processes: the same ones, however many do it and whatever becomes of them."""

import os
import random
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch
from core_making import QUICK, contents, room_renderer
from processes import asked, below

from ace_ros.errors import Cancelled, InputError, MappingError
from ace_ros.generated import room_camera
from ace_ros.generated.sensor import exposed
from ace_ros.generated.trajectory import mapping_drive
from ace_ros.mapping.cluster import Cluster
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.workspace import Workspace

pytestmark = pytest.mark.slow
OPTIONS = replace(QUICK, width=32, landmark_views=20, device="cpu")
APART = 100.0  # metres: places have nothing in common


@pytest.fixture(scope="module")
def views():
    """Of three places."""
    mapper, camera, rng, made = Mapper(OPTIONS), room_camera((400, 300)), np.random.default_rng(5), []
    for pose in mapping_drive(60):
        mapper.add(exposed(room_renderer().render(camera, pose)[0], rng), camera, pose)
    for place in range(3):
        for view in mapper.views[10 * place : 10 * place + 40]:
            pose = view.map_from_camera.copy()
            pose[0, 3] += APART * place
            made.append(replace(view, map_from_camera=pose))
    return made


@pytest.fixture(scope="module")
def filled(views, tmp_path_factory):
    """Makes mappers with these views."""

    def make(**options):
        workspace = Workspace(tmp_path_factory.mktemp("cluster") / "m")
        Mapper(replace(OPTIONS, **options), workspace=workspace)
        for view in views:
            workspace.views.append(view)
        return Mapper(replace(OPTIONS, **options), workspace=workspace)

    return make


@pytest.fixture
def mapper(filled):
    return filled()


@pytest.fixture(scope="module")
def expected(filled):
    """As this process builds it with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    scene_map = filled().build()
    torch.set_num_threads(threads)
    assert len(scene_map.places) == 3
    return scene_map


def cluster_of(workers):
    """Where there are fewer cores than workers too."""
    cluster = Cluster()
    cluster.workers = workers
    return cluster


def workers_here():
    """Processes that build places."""

    def builds(child):
        return "spawn_main" in " ".join(child.cmdline()) and child.num_threads() > 1

    return [child for child, yes in asked(below(), builds) if yes]


@pytest.mark.parametrize("workers", [1, 3])
def test_one_worker_or_three_or_none_build_the_same_map(mapper, expected, workers):
    told = []
    built = mapper.build(told.append, cluster=cluster_of(workers))
    assert contents(built) == contents(expected)
    assert [now.place for now in told] == sorted(now.place for now in told) and {now.places for now in told} == {3}
    assert not workers_here()


def test_a_worker_that_is_killed_costs_its_place_only(mapper, expected):
    killed, over = [], threading.Event()

    def kill():
        while not (workers := workers_here()):
            time.sleep(0.1)
        while len(killed) < 3 and not over.wait(random.uniform(0.5, 3.0)):
            workers = workers_here()
            if workers:
                victim = random.choice(workers)
                victim.kill()
                killed.append(victim.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    built = mapper.build(cluster=cluster_of(2))
    over.set()
    killer.join()
    assert killed and contents(built) == contents(expected)


def test_nobody_else_reaches_the_workers(mapper):
    seen = set()

    def look(now):
        processes = [psutil.Process(), *below()]
        for _, connections in asked(processes, lambda process: process.net_connections("inet")):
            seen.update(each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN)

    mapper.build(look, cluster=cluster_of(1))
    assert seen == {"127.0.0.1"}


def test_it_is_stopped_as_any_build(mapper):
    with pytest.raises(Cancelled):
        mapper.build(cancelled=lambda: True, cluster=cluster_of(1))
    assert not workers_here()


def test_another_cluster(mapper, expected):
    """Views travel to it; what its workers can't do is said."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address=None, worker_dashboard_address=None
    ) as others:
        assert contents(mapper.build(cluster=Cluster(address=others.scheduler_address))) == contents(expected)


def test_a_cluster_that_is_not_there_and_places_that_fail(mapper, monkeypatch):
    monkeypatch.setattr("ace_ros.mapping.cluster._PATIENCE", 1)
    with pytest.raises(MappingError, match=r"cluster tcp://127\.0\.0\.1:9: no worker can be reached"):
        mapper.build(cluster=Cluster(address="tcp://127.0.0.1:9"))


def test_an_error_of_a_worker_is_told_as_it_is(mapper):
    mapper._encoder.sha256 = "0" * 64
    with pytest.raises(InputError, match="encoder xfeat: a worker has other weights"):
        mapper.build(cluster=cluster_of(1))


def test_no_more_workers_than_there_is_room_for():
    assert Cluster(10_000).workers <= len(os.sched_getaffinity(0))
    assert Cluster(1).workers == 1


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'ace_ros\[cluster\]'"):
        Cluster(2)
