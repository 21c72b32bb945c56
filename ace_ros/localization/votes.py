"""Which places an image may show: each keypoint votes for the places of the landmarks that it resembles most.

No global descriptor and no images: the landmarks that a map holds anyway tell its places apart.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.device import comparable, fast_dtype
from ace_ros.features.encoder import Likeness
from ace_ros.features.features import Features
from ace_ros.map.scene_map import SceneMap

# Landmarks of a place, evenly from those seen most often to those seen least. The 4,000 seen most often held next to
# nothing of a wall that few views of its place show, and many of its twin's: 6 of 512 queries were believed in the
# twin; evenly taken 1, and 1 with all 10,000, at seven times the time.
_VOTERS = 4000
_ASKED = 150  # keypoints that vote, the best ones: as good as 300
_FEW = 20.0  # votes: fewer tell nothing, and less likeness has to do
_TEMPERATURE = 0.01  # of the cosine: so much less likeness is worth a third of the vote


class PlaceVotes:
    """The voters of all places, on a device.

    Args:
        scene_map: whose places are voted for.
    """

    def __init__(self, scene_map: SceneMap, device: torch.device, likeness: Likeness) -> None:
        self._cosines = likeness.vote, likeness.query
        self._device, self._dtype = device, fast_dtype(device)
        voters = []
        for number in range(len(scene_map.headers)):
            codes = torch.from_numpy(np.array(scene_map.codes(number, _VOTERS))).float()
            # As many of each place; a code of zeros resembles nothing.
            missing = torch.zeros(_VOTERS - len(codes), codes.shape[1])
            voters.append(torch.cat([torch.nn.functional.normalize(codes, dim=1), missing]).to(device, self._dtype))
        self._voters = torch.cat(voters).T
        self._places = len(voters)

    def count(self, features: Features) -> NDArray[np.float32]:
        """(P,) votes of the keypoints for each place; one that sees twins gives each of them a part of its vote."""
        if not len(features):
            return np.zeros(self._places, np.float32)
        asked = features.best(_ASKED).descriptors.to(self._device, self._dtype)
        likeness = (asked @ self._voters).view(len(asked), self._places, _VOTERS)
        cosine = comparable(likeness).amax(2).view(likeness.dtype)
        best = cosine.amax(1, keepdim=True)
        # Softly, so that twins share the votes.
        votes = torch.softmax(cosine.float() / _TEMPERATURE, dim=1)
        counts = [(votes * (best > least)).sum(0).cpu().numpy() for least in self._cosines]
        return np.asarray(counts[0] if counts[0].sum() >= _FEW else counts[1])
