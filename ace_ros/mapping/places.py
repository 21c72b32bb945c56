"""Mapping views cut into places: what sees the same stays together, as long as one head can serve it.

Nothing here depends on the unit of the poses: sizes are in depths of the scene, content in key views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.spatial.distance
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ace_ros.mapping.covisibility import Covisibility
from ace_ros.mapping.options import MIN_FRAMES

Index = NDArray[np.int64]
# The largest place that was seen to be served well has 49 key views (a room photographed all around) and 2.6 depths.
_MOST_KEYS = 50
_MOST_DEPTHS = 4.0  # across all cameras of a place
_LEAST_SHARED = 15  # matches by which two key views see the same
_WORTH_CUTTING = 30  # views that each half must have
_BESIDE = 1.0  # depths between cameras that stand in one room, whatever each of them sees
_SEAM = (
    0.3  # of a place's own views: so many of its neighbours' are added, so that it knows what is seen across the seam
)
_UNBALANCED = 0.25  # of the views that the lesser half of a cut has at least
_LATE = 0.1  # of a settled place's own views: it may do without so many that came later and show the same; set by hand


@dataclass(frozen=True, eq=False)
class Cut:
    """Views of one place: indices of its own, and of its neighbours' that see across the seam; sorted."""

    own: Index
    seam: Index


@dataclass(frozen=True)
class _Graph:
    """Key views: who shares how much with whom, where they stand, and the views that are like each."""

    shared: scipy.sparse.csr_matrix
    centres: NDArray[np.float64]
    key_of: Index
    depth: NDArray[np.float64]

    def views(self, keys: Index) -> Index:
        return np.nonzero(np.isin(self.key_of, keys))[0]

    def fits(self, keys: Index) -> bool:
        """Whether a place of these is as large as one may be, or smaller."""
        return len(keys) <= _MOST_KEYS and self.across(keys) <= _MOST_DEPTHS

    def across(self, keys: Index) -> float:
        centres = self.centres[self.views(keys)]
        return float(np.linalg.norm(centres.max(0) - centres.min(0)) / self.reach(keys))

    def reach(self, keys: Index) -> float:
        """As :func:`_reach`, of what these see."""
        return _reach(self.depth[keys])


def cut(covisibility: Covisibility, centres: NDArray[np.float64], settled: Sequence[Cut] = ()) -> list[Cut]:
    """Places, in the order of their first views. Each view is one place's own, but for those that came late.

    Args:
        covisibility: of all views. centres: (V, 3) of their cameras, map frame.
        settled: places of a cut of the first of these views, which stay as they are. Views that came later and are
            like theirs are left out, as long as they are few; where they are more, the place is settled no longer, nor
            where a handful of views has no other neighbour.
    """
    graph = _graph(covisibility, centres)
    settled = [one for one in settled if len(graph.views(_keys(graph, one))) <= (1 + _LATE) * len(one.own)]
    stay = [_keys(graph, one) for one in settled]
    free = np.setdiff1d(np.arange(len(covisibility)), np.concatenate([np.empty(0, np.int64), *stay]))
    pieces = [piece for part in _components(graph, free) for piece in _halved(graph, part)]
    pieces = _gathered(graph, pieces, stay)
    pieces.sort(key=lambda keys: int(graph.views(keys)[0]))
    untouched = {keys.tobytes(): one for keys, one in zip(stay, settled, strict=True)}
    return [untouched.get(keys.tobytes()) or Cut(graph.views(keys), _seam(graph, keys)) for keys in pieces]


def gone_since(covisibility: Covisibility, centres: NDArray[np.float64], one: Cut) -> float:
    """How far the camera went since the place's last view, or the last that it was lent, in depths of the place."""
    keys = np.unique(np.array(covisibility.key_of)[one.own])
    last = max([one.own[-1], *one.seam[-1:]])
    return float(np.linalg.norm(np.diff(centres[last:], axis=0), axis=1).sum() / _reach(covisibility.depth[keys]))


def _reach(depths: NDArray[np.float64]) -> float:
    """Median of the depths that are known; where nothing was seen from two sides, no distance counts."""
    known = depths[np.isfinite(depths)]
    return float(np.median(known)) if len(known) else np.inf


def _keys(graph: _Graph, one: Cut) -> Index:
    return np.unique(graph.key_of[one.own])


def _components(graph: _Graph, keys: Index) -> list[Index]:
    """Those of them that see the same, directly or through one another."""
    if not len(keys):
        return []
    count, label = connected_components(graph.shared[keys][:, keys], directed=False)
    return [keys[label == k] for k in range(count)]


def _graph(covisibility: Covisibility, centres: NDArray[np.float64]) -> _Graph:
    edges = [(a, b, n) for (a, b), n in covisibility.shared.items() if n >= _LEAST_SHARED]
    a, b, n = np.array(edges, dtype=np.int64).reshape(-1, 3).T
    size = len(covisibility)
    shared = scipy.sparse.coo_matrix((n.astype(float), (a, b)), shape=(size, size)).tocsr()
    return _Graph(shared + shared.T, centres, np.array(covisibility.key_of), covisibility.depth)


def _halved(graph: _Graph, keys: Index) -> list[Index]:
    """Cut in two, again and again, until each fits or is too small to be cut."""
    if graph.fits(keys) or len(keys) < 2:
        return [keys]
    weight = np.bincount(graph.key_of, minlength=len(graph.depth))[keys].astype(float)
    if weight.sum() < 2 * _WORTH_CUTTING:
        return [keys]
    order = np.argsort(_fiedler(graph.shared[keys][:, keys]), kind="stable")
    share = np.cumsum(weight[order])[:-1]
    least = max(_UNBALANCED * weight.sum(), _WORTH_CUTTING)
    allowed = np.nonzero((share >= least) & (weight.sum() - share >= least))[0]
    if not len(allowed):
        return [keys]
    dense = graph.shared[keys][:, keys].toarray()[np.ix_(order, order)]
    # Matches across each possible cut, by sums over the corner of the matrix; normalised by those of either half.
    inside, total = np.diag(dense.cumsum(0).cumsum(1))[:-1], np.maximum(dense.sum(1).cumsum(), 1e-9)
    across = total[:-1] - inside
    cost = across / total[:-1] + across / np.maximum(total[-1] - total[:-1], 1e-9)
    best = allowed[np.argmin(cost[allowed])]
    halves = order[: best + 1], order[best + 1 :]
    return [piece for half in halves for piece in _halved(graph, np.sort(keys[half]))]


def _fiedler(shared: scipy.sparse.csr_matrix) -> NDArray[np.float64]:
    """The second eigenvector of the normalised Laplacian (Shi and Malik, PAMI 2000): alike for what belongs together.

    Matches count by their square root, or a few views that hardly move would outweigh a street.
    """
    weights = np.sqrt(shared.toarray())
    scale = 1 / np.sqrt(np.maximum(weights.sum(1), 1e-9))
    laplacian = np.eye(len(weights)) - scale[:, None] * weights * scale
    _values, vectors = np.linalg.eigh(laplacian)
    connected = vectors[:, 1] * scale
    return np.asarray(connected if connected[np.abs(connected).argmax()] > 0 else -connected)


def _gathered(graph: _Graph, pieces: list[Index], stay: list[Index]) -> list[Index]:
    """Pieces that stand in one room become one, as far as it fits; those of a few views join their nearest one.

    Those that stay are joined by such few views only, and where nothing else is left: what is settled must not come
    apart by its own settling.
    """
    free = len(pieces)
    waiting = set(range(free))
    pieces = pieces + stay
    apart = _apart(graph, pieces)
    weight = [len(graph.views(keys)) for keys in pieces]
    alive = set(range(len(pieces)))
    while waiting and len(alive) > 1:
        least = min(waiting, key=lambda k: (weight[k], k))
        waiting.remove(least)
        near = apart[least].copy()
        if weight[least] >= MIN_FRAMES or np.isfinite(near[:free]).any():
            near[free:] = np.inf
        nearest = int(near.argmin())
        joined = np.sort(np.concatenate([pieces[least], pieces[nearest]]))
        beside = near[nearest] < _BESIDE * graph.reach(joined) and graph.fits(joined)
        if weight[least] < MIN_FRAMES or beside:
            pieces[nearest] = joined
            weight[nearest] += weight[least]
            apart[nearest] = apart[:, nearest] = np.minimum(apart[nearest], apart[least])
            apart[least] = apart[:, least] = apart[nearest, nearest] = np.inf
            alive.remove(least)
            waiting.add(nearest)
    return [pieces[k] for k in sorted(alive)]


def _apart(graph: _Graph, pieces: list[Index]) -> NDArray[np.float64]:
    """(P, P) distance between the nearest key views of two pieces, infinite to itself."""
    order = np.concatenate(pieces)
    centres = graph.centres[[graph.views(np.array([key]))[0] for key in order]]
    starts = np.concatenate([[0], np.cumsum([len(keys) for keys in pieces])[:-1]])
    distance = scipy.spatial.distance.cdist(centres, centres)
    distance = np.minimum.reduceat(np.minimum.reduceat(distance, starts, axis=0), starts, axis=1)
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance)


def _seam(graph: _Graph, keys: Index) -> Index:
    """Views of neighbours that see most of what this place sees."""
    shared = np.asarray(graph.shared[keys].sum(0)).ravel()
    shared[keys] = 0
    most = int(_SEAM * len(graph.views(keys)))
    taken: list[Index] = []
    for key in np.argsort(-shared, kind="stable")[: int((shared > 0).sum())]:
        views = graph.views(np.array([key]))[: most - sum(map(len, taken))]
        taken.append(views)
    return np.sort(np.concatenate(taken)) if taken else np.empty(0, np.int64)
