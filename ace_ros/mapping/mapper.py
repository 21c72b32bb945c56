"""Posed frames in, a map out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.device import resolve_device
from ace_ros.errors import Cancelled, MappingError
from ace_ros.features.encoder import Encoder
from ace_ros.features.registry import make_encoder, parse_encoder
from ace_ros.geometry import Matrix, rotation_angle_deg
from ace_ros.image import Pixels
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.build import Site, build_place
from ace_ros.mapping.cluster import THREADS, Cluster, Job
from ace_ros.mapping.covisibility import Covisibility
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.places import Cut, cut, gone_since
from ace_ros.mapping.progress import Progress, Reporter
from ace_ros.mapping.store import ViewStore
from ace_ros.mapping.views import View, encode_view
from ace_ros.mapping.workspace import Workspace

_HOST = torch.device("cpu")
# What moves by less is nearly the same picture: some 10 and 20 pixels of 640. Set by hand: at walking pace, seen at
# 30 Hz, every third frame or so remains.
_HARDLY_MOVED = 0.02  # depths of the scene
_HARDLY_TURNED = 2.0  # degrees
_AT_REST = 2.0  # depths of a place that the camera went since it last saw it; set by hand


class Mapper:
    """Collects posed frames, encoding each at once, and builds a map of them.

    Args:
        options: see :class:`MapOptions`. map_frame: name of the frame that the poses are in.
        metric: whether a unit of the poses is a metre.
        workspace: keeps views and finished places on disk, so that many frames need little memory and a process that
            ends before its map is made can be followed by one that goes on: the views in it are taken already. None:
            views stay in memory.

    Raises:
        InputError: no such encoder or device. MappingError: the workspace was begun with another encoder.
    """

    def __init__(
        self,
        options: MapOptions | None = None,
        map_frame: str = "map",
        metric: bool = True,
        workspace: Workspace | None = None,
    ) -> None:
        options = options or MapOptions()
        name, weights = parse_encoder(options.encoder, options.encoder_weights)
        self.options = replace(options, encoder=name, encoder_weights=weights)
        self._site = Site(map_frame, metric)
        device = resolve_device(options.device)
        self._encoder = make_encoder(name, device, options.image_size, weights, options.enlarge)
        self._covisibility = Covisibility(self._encoder.profile.likeness)
        self._digests: list[int] = []
        self._stamps: list[int] = []
        self._centres: list[NDArray[np.float64]] = []
        self._ahead: dict[str, Place] = {}  # built ahead, by their keys
        self._settled: list[Cut] = []  # which of these are cut no more
        self._hasty: dict[str, Place] = {}  # built in haste, by the keys of those that will take their places
        self._workspace = workspace
        self._views: list[View] | ViewStore = []
        if workspace is not None:
            self._take_up(workspace)

    def __len__(self) -> int:
        return len(self._views)

    @property
    def places_ahead(self) -> int:
        """How many places are built already, see :meth:`build_ahead`."""
        return len(self._ahead)

    @property
    def encoder(self) -> Encoder:
        """The one that encodes the frames."""
        return self._encoder

    @property
    def site(self) -> Site:
        """What is said of the frame that the poses are in."""
        return self._site

    @property
    def views(self) -> Sequence[View]:
        """Those taken so far."""
        return self._views

    def add(
        self,
        image: Pixels,
        camera: Camera,
        map_from_camera: Matrix,
        name: str = "frame",
        stamp: int | None = None,
    ) -> None:
        """Take a posed frame: encode it and forget the image.

        Args:
            image: uint8, (H, W) grey or (H, W, 3) RGB; the map will know it again. camera: its intrinsics.
            map_from_camera: (4, 4). name: for messages.
            stamp: ns, if the frame has one that no other recording has.

        Raises:
            InputError: an unusable image or pose; the frame is not taken, the others stay.
            MappingError: the workspace's disk is full.
        """
        view = encode_view(self._encoder, self.options.keypoints, image, camera, map_from_camera, name, stamp)
        self._views.append(view)
        self._learn(view)

    def hardly_moved(self, map_from_camera: Matrix) -> bool:
        """Whether a camera there would see what the last frame showed, nearly from the same place.

        Where the depth of the scene is not known yet, that can't be told, and False is.
        """
        depth = self._covisibility.last_depth
        if not np.isfinite(depth):
            return False
        last = self._views[-1].map_from_camera
        moved = float(np.linalg.norm(map_from_camera[:3, 3] - last[:3, 3]))
        return moved < _HARDLY_MOVED * depth and rotation_angle_deg(last, map_from_camera) < _HARDLY_TURNED

    def build(
        self,
        progress: Callable[[Progress], None] = lambda p: None,
        cancelled: Callable[[], bool] = lambda: False,
        cluster: Cluster | None = None,
    ) -> SceneMap:
        """Build a map of the frames taken so far; they stay, so that more can be added and built again.

        Args:
            progress: called often from this thread. cancelled: polled often.
            cluster: builds the places; with however many workers, the same ones. None: this thread does.

        Raises:
            MappingError: fewer than 10 frames, or training diverged. Cancelled: as asked.
        """
        cuts, options, keys, places = self._plan(cluster)
        missing = {number: one for number, one in enumerate(cuts) if number not in places}

        def report() -> Reporter:
            return Reporter(progress, cancelled, len(places), len(cuts))

        built: Iterator[tuple[int, Place]]
        if cluster is None:
            built = ((number, self._build(one, options, report())) for number, one in missing.items())
        else:
            jobs = ((number, self._job(one, options, cluster)) for number, one in missing.items())
            built = cluster.build(jobs, lambda: report()("building", 0, 1))
        for number, place in built:
            places[number] = self._keep(keys[number], place)
        return self._map(places)

    def build_in_haste(self, cancelled: Callable[[], bool] = lambda: False) -> tuple[SceneMap, int]:
        """A map to be localized in until the next build is done; that takes nothing of it.

        Of places that are not built yet one is made in a few seconds, by :meth:`MapOptions.hasty`: where the camera was
        last, and with each further call another one.

        Returns:
            the map of the places that there are by now, and how many it lacks.

        Raises:
            As :meth:`build`.
        """
        cuts, options, keys, places = self._plan(None)
        self._hasty = {key: place for key, place in self._hasty.items() if key in keys}
        missing = [number for number in range(len(cuts)) if number not in places and keys[number] not in self._hasty]
        if missing:
            newest = max(missing, key=lambda number: int(cuts[number].own.max()))
            report = Reporter(lambda step: None, cancelled, len(cuts) - len(missing), len(cuts))
            self._hasty[keys[newest]] = self._build(cuts[newest], options.hasty(), report)
        places |= {number: self._hasty[key] for number, key in enumerate(keys) if key in self._hasty}
        return self._map(places), len(cuts) - len(places)

    def build_ahead(self, standing: bool = False, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Build a place that the camera has left, so that :meth:`build` need not; returns whether there was one.

        What the camera has left is not cut anew from then on, unless the camera comes back for long. As long as the
        frames may be those of one room, nothing is built.

        Args:
            standing: the camera goes nowhere now, so that the places where it is are built too. They are cut anew when
                more frames come.
            cancelled: polled often; frames may be added meanwhile, by this very function. Once it is True, the place
                is given up, and False returned.

        Raises:
            MappingError: training diverged.
        """
        if len(self) < MIN_FRAMES or not self._encoder.has_keypoints:
            return False
        centres = np.stack(self._centres)
        cuts = cut(self._covisibility, centres, self._settled)
        options = self.options.for_places(len(cuts))
        keys = {self._key(one, options, None): one for one in cuts}
        self._ahead = {key: place for key, place in self._ahead.items() if key in keys}
        self._settled = [one for one in self._settled if one in cuts]
        if len(cuts) == 1:
            return False
        for key, one in keys.items():
            left = gone_since(self._covisibility, centres, one) > _AT_REST
            if one in self._settled or not (left or (standing and self._kept(key) is None)):
                continue
            try:
                place = self._kept(key) or self._build(one, options, Reporter(lambda progress: None, cancelled))
            except Cancelled:
                return False
            self._ahead[key] = self._keep(key, place)
            self._settled += [one] if left else []
            return True
        return False

    def _take_up(self, workspace: Workspace) -> None:
        """Go on with the views that are there."""
        workspace.claim(
            encoder=self.options.encoder,
            encoder_weights=self._encoder.sha256,
            image_size=self.options.image_size,
            enlarge=self.options.enlarge,
            keypoints=self.options.keypoints,
            device=self._encoder.device.type,
        )
        self._views = workspace.views
        for view in workspace.views:
            self._learn(view)

    def _learn(self, view: View) -> None:
        """What is kept in memory of a view."""
        if self._encoder.has_keypoints:
            self._covisibility.add(view)
        self._centres.append(view.map_from_camera[:3, 3])
        self._digests.append(view.digest)
        self._stamps += [] if view.stamp is None else [view.stamp]

    def _plan(self, cluster: Cluster | None) -> tuple[list[Cut], MapOptions, list[str], dict[int, Place]]:
        """The places to be, how they are to be built, by which keys they are kept, and those that are built already."""
        if len(self) < MIN_FRAMES:
            raise MappingError(f"a map needs at least {MIN_FRAMES} usable frames with poses, there are {len(self)}")
        cuts = self._cut()
        options = self.options.for_places(len(cuts))
        keys = [self._key(one, options, cluster) for one in cuts]
        return cuts, options, keys, {i: place for i, key in enumerate(keys) if (place := self._kept(key)) is not None}

    def _map(self, places: dict[int, Place]) -> SceneMap:
        return SceneMap(tuple(places[i] for i in sorted(places)), MappedFrames.of(self._digests, self._stamps))

    def _cut(self) -> list[Cut]:
        """The places that the views fall into; an encoder whose features can't be matched knows of one only."""
        if not self._encoder.has_keypoints:
            return [Cut(np.arange(len(self)), np.empty(0, np.int64))]
        centres = np.stack(self._centres)
        cuts = cut(self._covisibility, centres)
        # What turned out to be one room is its map, whatever was built ahead.
        return cuts if len(cuts) == 1 or not self._settled else cut(self._covisibility, centres, self._settled)

    def _build(self, one: Cut, options: MapOptions, report: Reporter) -> Place:
        own, lent = ([self._views[i] for i in index.tolist()] for index in (one.own, one.seam))
        return build_place(own, lent, self._encoder, options, self._site, report)

    def _job(self, one: Cut, options: MapOptions, cluster: Cluster) -> Job:
        if self._workspace is not None and cluster.reads_store:
            return Job(one.own, one.seam, self._workspace.folder, options, self._site, self._encoder.sha256)
        views = {i: self._views[i] for i in [*one.own.tolist(), *one.seam.tolist()]}
        return Job(one.own, one.seam, views, options, self._site, self._encoder.sha256)

    def _kept(self, key: str) -> Place | None:
        """A place that was built before."""
        if self._workspace is not None:
            return self._workspace.place(key)
        return self._ahead.get(key)

    def _keep(self, key: str, place: Place) -> Place:
        if self._workspace is None:
            return place
        self._workspace.views.release()
        return self._workspace.keep(key, place)

    def _key(self, one: Cut, options: MapOptions, cluster: Cluster | None) -> str:
        """Tells a finished place from all others: of other views, or made in another way."""
        # Sums depend on how many threads share them.
        how = [asdict(options), asdict(self._site), torch.get_num_threads() if cluster is None else THREADS]
        state = hashlib.sha256(json.dumps(how, default=str).encode())
        for index in (one.own, one.seam):
            state.update(b"views")
            for view in index.tolist():
                state.update(b"%d " % view if self._workspace is None else self._workspace.views.identity(view))
        return state.hexdigest()[:32]
