"""Which triangulated points are worth a place in the map."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ace_ros.mapping.triangulation import Tracks
from ace_ros.mapping.views import PackedViews


def select(tracks: Tracks, views: PackedViews, count: int) -> Tensor:
    """Indices of the ``count`` tracks to keep, longest first: often seen ones, so that every view sees its share.

    Longest first, a track is taken while one of its views still lacks landmarks; what is left of
    the count goes to the longest others.
    """
    lengths = tracks.lengths.cpu().numpy()
    order = np.argsort(-lengths, kind="stable")
    if len(tracks) <= count:
        return torch.from_numpy(order)
    rows = np.argsort(tracks.track.cpu().numpy(), kind="stable")
    starts = np.concatenate([[0], np.cumsum(lengths)])
    seen_by = tracks.view.cpu().numpy()[rows]
    # A view's fair share of all the observations that the kept tracks will have.
    quota = 0.5 * lengths[order[:count]].sum() / views.count
    have = np.zeros(views.count)
    taken = np.zeros(len(tracks), dtype=bool)
    left = count
    for k in order.tolist():
        of = seen_by[starts[k] : starts[k + 1]]
        if left and (have[of] < quota).any():
            taken[k] = True
            have[of] += 1
            left -= 1
    rest = order[~taken[order]][:left]
    taken[rest] = True
    return torch.from_numpy(order[taken[order]])
