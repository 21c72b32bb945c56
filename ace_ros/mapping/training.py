"""Training of the head: one loop, the same on CPU and CUDA."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ace_ros.device import fast_dtype
from ace_ros.errors import MappingError
from ace_ros.map.head import Head, HeadShape
from ace_ros.map.heads import make_head
from ace_ros.mapping.buffer import TrainingBuffer
from ace_ros.mapping.loss import coordinate_loss, softclamp_threshold
from ace_ros.mapping.muon import Muon

_WARM_UP = 0.03  # of the training, in which the rate rises
_DECAY_FROM = 0.3  # of the training, from where it falls
_REPORT_EVERY = 20  # steps: reading a figure off the device costs a synchronisation
_LOOK_EVERY = 100  # steps: a look takes as long as two of them


@dataclass(frozen=True)
class TrainingOptions:
    """How a head is trained.

    Attributes:
        steps: optimiser steps.
        seconds: stop by then at the latest, the schedule fitted to the time; None for no limit.
        batch: samples a step.
        rate: Muon's learning rate for the hidden matrices. adam_rate: AdamW's for the rest.
        shape: of the head.
        supervision: weight of triangulated points as targets at the start, down to none at the end.
    """

    steps: int = 1000
    seconds: float | None = None
    batch: int = 4096
    rate: float = 0.03
    adam_rate: float = 2e-3
    shape: HeadShape = field(default_factory=HeadShape)
    supervision: float = 1.0


@dataclass(frozen=True)
class TrainingStatistics:
    """What a training came to: steps done, last mean loss, and the fraction of samples within 10 px."""

    steps: int
    loss: float
    inliers: float


Report = Callable[[int, int, float, float], None]  # steps done, steps in all, loss, inlier fraction; may raise


def train(
    buffer: TrainingBuffer,
    options: TrainingOptions,
    generator: torch.Generator,
    report: Report,
    look: Callable[[Head], None] = lambda head: None,
) -> tuple[Head, TrainingStatistics]:
    """Train a head from nothing.

    Args:
        look: is shown the head now and then, before a report.

    Raises:
        MappingError: the loss is not finite: training diverged.
    """
    device = buffer.features.device
    head = make_head(options.shape).to(device)
    hidden = head.hidden
    of_muon = {id(matrix) for matrix in hidden}
    others = [p for p in head.parameters() if id(p) not in of_muon]
    muon = Muon(hidden)
    adam = torch.optim.AdamW(others, lr=options.adam_rate, betas=(0.9, 0.95), fused=device.type == "cuda")
    dtype = fast_dtype(device)
    clock = _Clock(options)
    batches = buffer.shuffled(options.batch, generator)
    done, loss_value, inliers = 0, math.nan, 0.0
    while (progress := clock.progress(done)) < 1.0:
        rate = _rate(progress)
        for group in adam.param_groups:
            group["lr"] = options.adam_rate * rate
        features, batch = buffer.batch(next(batches))
        threshold = torch.full((), softclamp_threshold(progress), device=device)
        supervision = threshold.new_full((), options.supervision * (1.0 - progress))
        loss, error = coordinate_loss(head(features, dtype), batch, threshold, supervision)
        muon.zero_grad()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        muon.step(options.rate * rate)
        adam.step()
        done += 1
        if done % _REPORT_EVERY == 0 or done == 1:
            loss_value, inliers = loss.item(), (error < 10).float().mean().item()
            if not math.isfinite(loss_value):
                raise MappingError(
                    f"training diverged at step {done} (loss {loss_value}); check that the poses belong to the images, "
                    "or lower the learning rate"
                )
            if done % _LOOK_EVERY == 0:
                look(head)
            report(done, clock.total(done), loss_value, inliers)
    head.requires_grad_(False)
    if not all(bool(p.isfinite().all()) for p in head.parameters()):
        raise MappingError("training diverged: the head's weights are not finite; check the poses")
    return head, TrainingStatistics(done, loss_value, inliers)


@torch.no_grad()
def settle_depth(head: Head, buffer: TrainingBuffer, guess: float) -> float:
    """Median depth of the scene as a trained head sees it, where the buffer's scale was a ``guess``.

    The head is rescaled with it: one unit of its output is then that depth.
    """
    some = torch.arange(0, len(buffer), len(buffer) // 20000 + 1, device=buffer.features.device)
    features, batch = buffer.batch(some)
    depths = ((head.predict(features) - batch.centres) * batch.rays).sum(1)
    ratio = float(depths[depths > 0].median()) if bool((depths > 0).any()) else 1.0
    head.out.weight[:3] /= ratio
    head.out.bias[:3] /= ratio
    return guess * ratio


class _Clock:
    """Progress by steps, or by time where that runs out first."""

    def __init__(self, options: TrainingOptions) -> None:
        self._options = options
        self._start = time.monotonic()

    def progress(self, done: int) -> float:
        by_steps = done / self._options.steps
        if self._options.seconds is None or done == 0:  # one step at least, however short the time
            return by_steps
        return max(by_steps, (time.monotonic() - self._start) / self._options.seconds)

    def total(self, done: int) -> int:
        return max(done, round(done / max(self.progress(done), 1e-6)))


def _rate(progress: float) -> float:
    """Linear warm-up, constant, then half a cosine down to zero."""
    warm = min(1.0, (progress + 1e-3) / _WARM_UP)
    if progress < _DECAY_FROM:
        return warm
    return 0.5 * (1 + math.cos(math.pi * (progress - _DECAY_FROM) / (1 - _DECAY_FROM)))
