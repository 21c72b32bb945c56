"""Places built by many processes, here or on other machines: work for dask.distributed, the extra ``cluster``.

Each place is built by one thread, so that a sum comes out the same to the last bit whoever does it, alone or beside
others. A worker that is lost costs the place that it was at: the scheduler gives that to another.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.device import resolve_device
from ace_ros.errors import InputError, MappingError
from ace_ros.features.registry import make_encoder
from ace_ros.map.place import Place
from ace_ros.mapping.build import Site, build_place
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.progress import Reporter
from ace_ros.mapping.store import ViewStore
from ace_ros.mapping.views import View

THREADS = 1  # that build a place
_MEMORY = 1.5e9  # bytes that a worker may need: a place of 1,000 views (bench scale)
_LOOK_EVERY = 0.5  # s between two looks at who is done
_PATIENCE = 30  # s until a cluster has a worker
_LIVES = 10  # workers that may be lost over one place until it is held to be its fault
_building = threading.Lock()  # a worker may have many threads; what is random is one sequence a process


@dataclass(frozen=True)
class Job:
    """A place to be built: which views are its own and which are lent to it, and where they are.

    Attributes:
        views: the folder of a store, or the views by their indices. encoder_sha256: of the encoder's weights.
    """

    own: NDArray[np.int64]
    lent: NDArray[np.int64]
    views: Path | Mapping[int, View]
    options: MapOptions
    site: Site
    encoder_sha256: str


class Cluster:
    """Where places are built.

    Args:
        workers: so many processes here, as far as cores and memory go. address: of a dask scheduler instead, such as
            tcp://host:8786; where workers there have a resource GPU, each place takes one, unless the CPU is asked for.

    Raises:
        InputError: dask.distributed is not installed.
    """

    def __init__(self, workers: int = 1, address: str = "") -> None:
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise InputError(
                "many workers need dask.distributed, which is not installed; install it with: "
                "pip install 'ace_ros[cluster]'"
            ) from None
        self.workers, self.address = workers, address
        if not address:
            self.workers = max(1, min(workers, len(os.sched_getaffinity(0)), int(_memory() // _MEMORY)))

    @property
    def reads_store(self) -> bool:
        """Whether workers find the store by its path: they run here."""
        return not self.address

    def build(self, jobs: Iterable[tuple[int, Job]], poll: Callable[[], None]) -> Iterator[tuple[int, Place]]:
        """Places by their numbers, in the order in which they are done.

        Args:
            jobs: taken from it when there is somebody to do them. poll: called twice a second; may raise to stop.

        Raises:
            MappingError: training diverged; the cluster can't be reached, or has lost too many workers.
            InputError: its workers can't build places.
        """
        from distributed import wait

        waiting = iter(jobs)
        running: dict[Any, int] = {}
        with self._client() as client, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            while True:
                room = 1 + len(client.nthreads()) - len(running)
                for number, job in islice(waiting, max(0, room)):
                    asked = {"resources": {"GPU": 1}} if _wants_gpu(client, job.options) else {}
                    running[client.submit(_built, job, pure=False, **asked)] = number
                if not running:
                    return
                poll()
                with client.as_current(), contextlib.suppress(TimeoutError):
                    wait(list(running), timeout=_LOOK_EVERY, return_when="FIRST_COMPLETED")
                for future in [future for future in running if future.done()]:
                    number = running.pop(future)
                    yield number, _result(future, number)

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        from distributed import Client

        with contextlib.ExitStack() as stack:
            scheduler: Any = self.address or stack.enter_context(self._local())
            try:
                client = stack.enter_context(Client(scheduler, timeout=_PATIENCE, set_as_default=False))
                client.wait_for_workers(1, timeout=_PATIENCE)
            except (OSError, TimeoutError, ValueError) as error:
                raise MappingError(f"cluster {self.address or 'here'}: no worker can be reached ({error})") from None
            if self.address:
                self._check(client)
            yield client

    @contextlib.contextmanager
    def _local(self) -> Iterator[Any]:
        """A cluster on this machine, which nobody else can reach."""
        import dask
        from distributed import LocalCluster

        config = {"distributed.scheduler.allowed-failures": _LIVES}
        with (
            tempfile.TemporaryDirectory(prefix="ace_ros_") as folder,
            dask.config.set(config),
            LocalCluster(
                n_workers=self.workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # what it serves even so
                worker_dashboard_address=None,
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            ) as cluster,
        ):
            yield cluster

    def _check(self, client: Any) -> None:
        """Whether all workers have what it takes, and the same as we."""
        try:
            theirs = client.run(_versions)
        except Exception as error:  # whatever a strange machine raises
            raise InputError(f"cluster {self.address}: its workers can't load ace_ros ({error}); install it") from None
        for worker, versions in theirs.items():
            if versions != _versions():
                raise InputError(f"cluster {self.address}: worker {worker} has {versions}, here is {_versions()}")


def _built(job: Job) -> Place:
    """What a worker does."""
    with _building:
        threads = torch.get_num_threads()
        torch.set_num_threads(THREADS)
        try:
            options = job.options
            device = resolve_device(options.device)
            encoder = make_encoder(
                options.encoder, device, options.image_size, options.encoder_weights, options.enlarge
            )
            if encoder.sha256 != job.encoder_sha256:
                raise InputError(f"encoder {options.encoder}: a worker has other weights; give it the same file")
            views = ViewStore(job.views, writing=False) if isinstance(job.views, Path) else job.views
            own, lent = ([views[i] for i in index.tolist()] for index in (job.own, job.lent))
            report = Reporter(lambda progress: None, lambda: False)
            return build_place(own, lent, encoder, options, job.site, report)
        finally:
            torch.set_num_threads(threads)


def _result(future: Any, number: int) -> Place:
    from distributed import CancelledError, KilledWorker

    try:
        place: Place = future.result()
    except (KilledWorker, CancelledError):
        raise MappingError(
            f"place {number}: the workers that built it were lost again and again; most likely they had too little "
            "memory: use fewer workers, or lower --views"
        ) from None
    return place


def _wants_gpu(client: Any, options: MapOptions) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return options.device != "cpu" and any("GPU" in worker.get("resources", {}) for worker in workers)


def _versions() -> dict[str, str]:
    return {"torch": torch.__version__, "numpy": np.__version__}


def _memory() -> float:
    """Bytes that are free."""
    import psutil

    return float(psutil.virtual_memory().available)
