"""Maps of one frame laid side by side in one file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ace_ros.errors import MapFileError
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.scene_map import SceneMap
from ace_ros.map.whole import check_together

_SAID = {
    "encoder": "was made with encoder {}",
    "encoder_sha256": "was made with encoder weights {:.12}...",
    "encoder_size": "was made of images {} pixels high or wide",
    "encoder_enlarge": "was made of images enlarged {:g} times at most",
    "map_frame": "is in frame '{}'",
    "metric": "{}",
}
_ADVICE = {
    "map_frame": "'ace align' finds how a recording lies in another map, 'ace extend --alignment' adds it there",
    "metric": "only maps of one unit go together",
}


def merge(maps: Sequence[SceneMap], names: Sequence[str]) -> tuple[SceneMap, int]:
    """All places of some maps in one, each as it was, and how many frames more than one of them was made from.

    Args:
        names: of the maps, for messages.

    Raises:
        MapFileError: their encoders, frames or units differ; the sentence says which and how.
    """
    for scene_map, name in zip(maps[1:], names[1:], strict=True):
        _check(maps[0], scene_map, names[0], name)
    places = [place for scene_map in maps for place in scene_map.places]
    digests = np.concatenate([scene_map.mapped.digests for scene_map in maps])
    known = [scene_map.mapped.stamps for scene_map in maps]
    # What several maps know is kept once, in the order in which it came.
    _, first = np.unique(digests, return_index=True)
    kept = digests[np.sort(first)]
    twice = sum(len(np.unique(scene_map.mapped.digests)) for scene_map in maps) - len(kept)
    return SceneMap(tuple(places), MappedFrames(kept, np.unique(np.concatenate(known)))), twice


def _check(first: SceneMap, other: SceneMap, name: str, its_name: str) -> None:
    a, b = first.header, other.header
    for field, said in _SAID.items():
        one, two = getattr(a, field), getattr(b, field)
        if one != two:
            if field == "metric":
                one, two = ("is in metres" if metric else "is of arbitrary scale" for metric in (one, two))
            advice = _ADVICE.get(field, "map one of them again as the other")
            raise MapFileError(
                f"these maps don't merge: {name} {said.format(one)}, {its_name} {said.format(two)}; {advice}"
            )
    check_together([*first.headers, *other.headers])
