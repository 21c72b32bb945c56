"""Several cameras on one robot: whose image is worked on next, and whose answer is told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

_GLANCE = 0.5  # s: so often each camera is asked, and so long one leads without a pose; set by hand
_SILENT = 2.0  # s: a camera that had no image for so long is not waited for, nor one that leads; as ImageInput has it
_MISSED = 3  # poses that a camera may miss and still lead, where they come more slowly than that; set by hand
_MORE = 1.25  # times the evidence of the camera that leads is more: two that see alike don't take turns; set by hand


class Lead:
    """One camera leads, the one that sees more: its images are worked on, and its poses are told.

    The others are glanced at now and then: one that sees clearly more leads from then on. Where the one that leads
    gives no pose, all take turns, and the first that gives one leads. So two cameras cost little more than one, an
    image waits for one other at most, and poses don't swing between the errors of two mounts.

    :meth:`choose` and :meth:`tells` are called by one thread.
    """

    def __init__(self, cameras: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._cameras, self._clock = cameras, clock
        self.forget()

    def forget(self) -> None:
        """Nothing of before counts: all cameras are asked."""
        self._leader: int | None = None
        self._evidence = 0
        self._seen, self._stamp = -math.inf, -math.inf  # when a pose was found, and the newest image of one
        self._pace = 0.0  # s between the last two poses
        self._asked = [-math.inf] * self._cameras
        self._blind: set[int] = set()  # cameras that gave no pose since there was one

    @property
    def leader(self) -> int | None:
        """The camera that leads; None where none sees anything."""
        patience = min(max(_GLANCE, _MISSED * self._pace), _SILENT)
        return self._leader if self._clock() - self._seen <= patience else None

    def choose(self, waiting: Sequence[int]) -> int | None:
        """Of the cameras that wait with an image, the one whose turn it is; None where the leader's is awaited."""
        now, leader = self._clock(), self.leader
        chosen = min(waiting, key=lambda camera: self._asked[camera])
        if leader is not None and now - self._asked[chosen] < _GLANCE:
            if leader not in waiting:
                return None
            chosen = leader
        self._asked[chosen] = now
        return chosen

    def tells(self, camera: int, stamp: int, evidence: int | None) -> bool:
        """Whether an answer is told: a pose by the camera that leads, and no pose once all were asked in vain.

        Args:
            stamp: of the image, ns. evidence: inliers of the pose; None where there is none.
        """
        leader, now = self.leader, self._clock()
        if evidence is None:
            self._blind.add(camera)
            if camera == self._leader:
                self._leader = None
            return self._blind.issuperset(c for c, asked in enumerate(self._asked) if now - asked < _SILENT)
        if leader is not None and leader != camera and evidence < _MORE * self._evidence:
            return False
        forward = stamp > self._stamp  # what was taken before the last pose that was told does not move the robot back
        self._pace = now - self._seen
        self._leader, self._evidence, self._seen = camera, evidence, now
        self._stamp = max(stamp, self._stamp)
        self._blind.clear()
        return forward
