"""A map that learns a recording in its frame: new places are added, those that it touches learn, the rest stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ace_ros.growing.knowledge import Acquaintance, Knowledge
from ace_ros.growing.newcomers import Newcomers
from ace_ros.growing.provenance import Recorded, place_made_of
from ace_ros.growing.updating import triangulated, updated
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.build import Site, build_place
from ace_ros.mapping.covisibility import Covisibility
from ace_ros.mapping.options import MIN_FRAMES
from ace_ros.mapping.places import Cut, cut
from ace_ros.mapping.progress import Progress, Reporter
from ace_ros.mapping.views import View, spread_poses

Told = Callable[[Progress], None]
Asked = Callable[[], bool]
_LENT = 0.3  # of a new place's views: so many that the map knows in part teach it too, for what is seen across the seam


@dataclass
class Grown:
    """A map that grew.

    Attributes:
        scene_map: the new one. known: frames that had nothing new. few: frames that were too few to learn from.
        touched: landmarks added to each place that learnt, by its number. new_places: numbers of the new ones.
        forgotten: landmarks that each place lost, by its number.
    """

    scene_map: SceneMap
    known: int = 0
    few: int = 0
    touched: dict[int, int] = field(default_factory=dict)
    new_places: list[int] = field(default_factory=list)
    forgotten: dict[int, int] = field(default_factory=dict)


def extend(
    newcomers: Newcomers,
    recording: str,
    progress: Told = lambda progress: None,
    cancelled: Asked = lambda: False,
) -> Grown:
    """The map with what the frames of a recording show and it does not know.

    Places that no frame has anything new for are the same, bit for bit.

    Args:
        recording: its name, for the map's header. progress: called often from this thread. cancelled: polled often.

    Raises:
        MappingError: training diverged. Cancelled: as asked. MapFileError: a place of the map's file can't be read.
    """
    scene_map, views = newcomers.scene_map, newcomers.views
    recorded = Recorded.now(recording, "extend")
    report = Reporter(progress, cancelled)
    knowledge = Knowledge(scene_map, newcomers.encoder)
    found = knowledge.of(views, lambda done, total: report("comparing", done, total))
    cuts, found = _cut(newcomers, knowledge, found)
    touched = _touched(found)
    grown = Grown(scene_map, known=sum(one.known for one in found))
    places: list[Place] = []
    taken: list[int] = []
    total = len(touched) + len(cuts)
    options = newcomers.options.mapping(scene_map.header)
    for number in range(len(scene_map.headers)):
        place = scene_map.places[number]
        if number in touched:
            report = Reporter(progress, cancelled, len(grown.touched), total)
            own = [views[i] for i in touched[number]]
            evidence = triangulated(own, newcomers.encoder, options, report)
            learnt, added = updated(place, evidence, newcomers.encoder, options, recorded, report)
            if added:
                place = learnt
                grown.touched[number] = added
                taken += touched[number]
        places.append(place)
    site = Site(scene_map.header.map_frame, scene_map.header.metric)
    for own_views, lent in cuts:
        report = Reporter(progress, cancelled, len(touched) + len(grown.new_places), total)
        own, seam = [views[i] for i in own_views], [views[i] for i in lent]
        place = build_place(own, seam, newcomers.encoder, options, site, report)
        grown.new_places.append(len(places))
        places.append(place_made_of(place, recorded))
        taken += own_views
    grown.few = len(views) - grown.known - len(set(taken))
    grown.scene_map = SceneMap(tuple(places), newcomers.mapped_with(sorted(set(taken)))) if taken else scene_map
    return grown


def _cut(
    newcomers: Newcomers, knowledge: Knowledge, found: list[Acquaintance]
) -> tuple[list[tuple[list[int], list[int]]], list[Acquaintance]]:
    """Views of each new place with those lent to it, and the views that are too few for one given to a place nearby."""
    views, most = newcomers.views, newcomers.options.views
    unknown = [i for i, one in enumerate(found) if one.place is None]
    if not unknown:
        return [], found
    covisibility = Covisibility(newcomers.encoder.profile.likeness)
    for i in unknown:
        covisibility.add(views[i])
    centres = np.stack([views[i].map_from_camera[:3, 3] for i in unknown])
    pieces: list[Cut] = cut(covisibility, centres)
    found = list(found)
    partly = [i for i, one in enumerate(found) if one.place is not None]
    new = []
    for piece in pieces:
        own = [unknown[k] for k in piece.own.tolist()]
        if len(own) < MIN_FRAMES:
            for i in own:  # a corner that was not looked at: the place there learns it
                near = knowledge.near(views[i])
                found[i] = Acquaintance(near[0] if len(near) == 1 else None, False)
            continue
        own = [own[k] for k in spread_poses(np.stack([views[i].map_from_camera for i in own]), most)]
        lent = [unknown[k] for k in piece.seam.tolist()] + _bordering(views, own, partly)
        new.append((own, lent))
    return new, found


def _bordering(views: Sequence[View], own: list[int], others: list[int]) -> list[int]:
    """Of the views that the map knows, those taken nearest before or after the new place's own."""
    if not others:
        return []
    distance = np.abs(np.array(others)[:, None] - np.array(own)).min(1)
    order = np.argsort(distance, kind="stable")[: int(_LENT * len(own))]
    return sorted(others[k] for k in order.tolist())


def _touched(found: Sequence[Acquaintance]) -> dict[int, list[int]]:
    """Views that have something new to tell a place, where they are enough, by its number."""
    touched: dict[int, list[int]] = {}
    for i, one in enumerate(found):
        if one.place is not None and not one.known:
            touched.setdefault(one.place, []).append(i)
    return {number: own for number, own in sorted(touched.items()) if len(own) >= MIN_FRAMES}
