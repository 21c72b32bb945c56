"""A map brought up to date: what moved is forgotten, what is new is learnt, what is only hidden stays."""

from __future__ import annotations

import numpy as np

from ace_ros.errors import MappingError
from ace_ros.growing.extending import Asked, Grown, Told
from ace_ros.growing.knowledge import Knowledge
from ace_ros.growing.newcomers import Newcomers
from ace_ros.growing.outdated import outdated
from ace_ros.growing.provenance import Recorded
from ace_ros.growing.updating import triangulated, updated
from ace_ros.map.landmarks import Landmarks
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.options import MIN_FRAMES
from ace_ros.mapping.progress import Reporter


def repair(
    newcomers: Newcomers,
    recording: str,
    progress: Told = lambda progress: None,
    cancelled: Asked = lambda: False,
) -> Grown:
    """The map as a newer recording in its frame shows its places; those that it does not show stay bit for bit.

    Frames outside of all places teach nothing here: :func:`ace_ros.growing.extending.extend` makes places of them.

    Raises:
        MappingError: no place is seen by enough frames. Others: as extend.
    """
    scene_map, views, encoder = newcomers.scene_map, newcomers.views, newcomers.encoder
    recorded = Recorded.now(recording, "repair")
    visits = _visits(newcomers, Reporter(progress, cancelled))
    if not visits:
        raise MappingError(
            f"none of the map's {len(scene_map.headers)} places is seen by {MIN_FRAMES} of the {len(views)} frames; "
            "'ace align' finds how a recording with an origin of its own lies in the map, 'ace extend' adds places"
        )
    options = newcomers.options.mapping(scene_map.header)
    grown, places, taken = Grown(scene_map), [], set[int]()
    for number in range(len(scene_map.headers)):
        place: Place = scene_map.places[number]
        if number in visits:
            report = Reporter(progress, cancelled, len(grown.touched), len(visits))
            own = [views[i] for i in visits[number]]
            evidence = triangulated(own, encoder, options, report)
            landmarks = Landmarks(place.points, place.codes, encoder.device, encoder.profile.likeness)
            gone = outdated(place, evidence, landmarks)
            place, added = updated(place, evidence, encoder, options, recorded, report, gone)
            grown.touched[number], grown.forgotten[number] = added, int(gone.sum())
            taken |= set(visits[number])
        places.append(place)
    grown.few = len(views) - len(taken)
    grown.scene_map = SceneMap(tuple(places), newcomers.mapped_with(sorted(taken)))
    return grown


def _visits(newcomers: Newcomers, report: Reporter) -> dict[int, list[int]]:
    """Frames of each place, by its number, where they are enough: the place that knows a frame best, or, where so much
    has changed that none knows it, the nearest one that it may be of."""
    scene_map, views = newcomers.scene_map, newcomers.views
    knowledge = Knowledge(scene_map, newcomers.encoder)
    found = knowledge.of(views, lambda done, total: report("comparing", done, total))
    origins = np.array([header.origin for header in scene_map.headers])
    visits: dict[int, list[int]] = {}
    for i, one in enumerate(found):
        number = one.place
        if number is None and (near := knowledge.near(views[i])):
            distance = np.linalg.norm(origins[near] - views[i].map_from_camera[:3, 3], axis=1)
            number = near[int(distance.argmin())]
        if number is not None:
            visits.setdefault(number, []).append(i)
    return {number: own for number, own in sorted(visits.items()) if len(own) >= MIN_FRAMES}
