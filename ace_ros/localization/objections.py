"""What images that are solved together hold against a pose: none loses the veto that it has alone.

By itself, an image believes no pose beside which another explains it about as well. Added up, images would forget that:
each says what it has for the pose that all have in common, and nobody asks what it has for others. A mirrored room is
believed so, of which each image by itself has more for a pose elsewhere. So two more ways to explain the images stand
against the common pose: each image is elsewhere, and each image is where it says by itself, whatever odometry tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace_ros.localization.atlas import Judged
from ace_ros.localization.sight import Sight
from ace_ros.localization.state import State

# Of what all images have for the common pose, beyond chance, so much more may they have for poses elsewhere. Of right
# poses in a courtyard and a hall whose furniture was moved 100 of 107 had less than a hundredth; of 76 that were off by
# a tenth of the depth 72 had more, and the others too little evidence. What an image has elsewhere but no more than
# here speaks against nothing: a thing that could be turned has two poses, and the ways between images tell which it is.
_ELSEWHERE = 0.05
# Of what each has for the best of its own poses, near or far, so much has to be kept. What is asked too much of by
# odometry loses a part: in the hall six poses were 6 to 12 % of the depth off and sure, which kept 0.50 to 0.87.
_KEPT = 0.9
_LEAST_IMAGES = 2  # that have more to say than chance: what one says, it has said alone, and was judged by


@dataclass(frozen=True)
class Opinion:
    """What an image has for a pose that several have in common, in landmarks beyond chance.

    Attributes:
        here: for that pose. own: for the best of those that it has by itself. elsewhere: how much more than here for
            the best of those that are another pose. overruled: alone it would believe one for which it has more.
    """

    here: float
    own: float
    elsewhere: float
    overruled: bool

    @staticmethod
    def of(sight: Sight, here: Judged) -> Opinion:
        """Of an image, where the common pose puts it ``here``."""
        others = [one for one in sight.found if not one.same(here)]
        own = max((one.excess for one in sight.found), default=0.0)
        elsewhere = max((one.excess - here.excess for one in others), default=0.0)
        overruled = any(one.verdict.state is State.LOCALIZED and one.excess > here.excess for one in others)
        return Opinion(here.excess, own, max(elsewhere, 0.0), overruled)


def objection(opinions: Sequence[Opinion], speaking: int) -> str:
    """Why the images don't believe the pose that they have in common, as a sentence; empty where they do.

    ``speaking``: how many of them have more to say for it than chance, beyond what others have said.
    """
    if speaking < _LEAST_IMAGES:
        return "no image but the last has anything to say for the pose"
    here, own, elsewhere = (
        sum(values) for values in zip(*((one.here, one.own, one.elsewhere) for one in opinions), strict=True)
    )
    if any(one.overruled for one in opinions):
        return "an image by itself is sure of another pose"
    if elsewhere > _ELSEWHERE * here:
        return f"the images by themselves have more for other poses (by {elsewhere:.0f} landmarks, {here:.0f} here)"
    if here < _KEPT * own:
        return f"each image by itself has more for a pose of its own ({own:.0f} landmarks of all, {here:.0f} here)"
    return ""
