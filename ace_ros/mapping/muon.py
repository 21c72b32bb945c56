"""Muon (Jordan et al., 2024): momentum, orthogonalised, for the hidden matrices.

``torch.optim.Muon`` walks the matrices one by one; ours are all of one size and go through the
Newton-Schulz iteration together, which halves the cost of a step, and run on any torch >= 2.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration, from the publication


class Muon:
    """Nesterov momentum whose direction is the nearest orthogonal matrix; square matrices of one size only."""

    def __init__(self, matrices: list[nn.Parameter], momentum: float = 0.95) -> None:
        self._matrices = matrices
        self._momentum = momentum
        self._velocity = torch.zeros_like(torch.stack([matrix.detach() for matrix in matrices]))

    @torch.no_grad()
    def step(self, rate: float | Tensor) -> None:
        """Move every matrix by ``rate`` along its orthogonalised momentum."""
        gradient = torch.stack([matrix.grad for matrix in self._matrices if matrix.grad is not None])
        self._velocity.lerp_(gradient, 1 - self._momentum)
        update = orthogonalize(gradient.lerp(self._velocity, self._momentum)) * -rate
        torch._foreach_add_([matrix.data for matrix in self._matrices], list(update.unbind()))

    def zero_grad(self) -> None:
        for matrix in self._matrices:
            matrix.grad = None


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """Approximate ``U V^T`` of the singular value decomposition of each matrix (K, n, n), in bfloat16."""
    a, b, c = _COEFFICIENTS
    x = matrices.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    result: Tensor = x.to(matrices.dtype)
    return result
