"""Features by others' means, how they match, and which images look alike (VLAD)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pycolmap
import torch
from numpy.typing import NDArray

from ace_ros.features.grey import check_image
from ace_ros.features.xfeat import XFeatEncoder
from ace_ros.image import Pixels

Floats = NDArray[np.float32]
Extractor = Callable[[Pixels], tuple[Floats, Floats]]  # pixels (N, 2), unit descriptors (N, D)

_LONG_SIDE = 1600  # pixels: COLMAP's guidance for SIFT on a CPU


def sift(keypoints: int) -> Extractor:
    """SIFT as COLMAP extracts it, at most so many."""
    options = pycolmap.FeatureExtractionOptions(use_gpu=False)
    options.sift.max_num_features = keypoints
    extractor = pycolmap.Sift(options, pycolmap.Device.cpu)

    def extract(image: Pixels) -> tuple[Floats, Floats]:
        grey = check_image(image)
        scale = min(1.0, _LONG_SIDE / max(grey.shape))
        if scale < 1:
            grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        keypoints, descriptors = extractor.extract(np.ascontiguousarray(grey))
        # COLMAP puts (0.5, 0.5) at the centre of the first pixel, here it is (0, 0).
        return keypoints[:, :2] / np.float32(scale) - np.float32(0.5), unit_length(descriptors)

    return extract


def xfeat(keypoints: int) -> Extractor:
    """XFeat as our own maps use it."""
    encoder = XFeatEncoder(torch.device("cpu"))

    def extract(image: Pixels) -> tuple[Floats, Floats]:
        found = encoder(image, keypoints)
        return found.pixels.numpy(), found.descriptors.numpy()

    return extract


def unit_length(descriptors: Floats) -> Floats:
    """Descriptors (N, D) of length one."""
    return descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-9)


def cluster_centres(descriptors: torch.Tensor, count: int) -> torch.Tensor:
    """Centres (K, D) by k-means."""
    sample = descriptors[torch.randperm(len(descriptors), generator=torch.Generator().manual_seed(0))[:50000]]
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 15, 0.0)
    cv2.setRNGSeed(0)
    _, _, centres = cv2.kmeans(sample.numpy(), count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    return torch.from_numpy(centres)


def residuals(descriptors: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """VLAD of descriptors (N, D): (K * D) sums of residuals, normalised by cluster and as a whole."""
    nearest = (descriptors @ centres.T - 0.5 * (centres**2).sum(1)).argmax(1)
    sums = torch.zeros_like(centres).index_add_(0, nearest, descriptors - centres[nearest])
    return torch.nn.functional.normalize(torch.nn.functional.normalize(sums, dim=1).flatten(), dim=0)


def mutual(a: torch.Tensor, b: torch.Tensor, least_cosine: float, ratio: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Mutual nearest neighbours of unit descriptors (N, D), (M, D): indices into both."""
    similarity = a @ b.T
    if ratio < 1:
        top = similarity.topk(2, dim=1)
        cosine, best = top.values[:, 0], top.indices[:, 0]
        distance = (2 - 2 * top.values).clamp_min(0).sqrt()
        good = distance[:, 0] < ratio * distance[:, 1]
    else:
        cosine, best = similarity.max(1)
        good = torch.ones_like(cosine, dtype=torch.bool)
    good &= (similarity.argmax(0)[best] == torch.arange(len(a))) & (cosine > least_cosine)
    rows = torch.nonzero(good)[:, 0]
    return rows, best[rows]
