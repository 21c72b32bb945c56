"""Where the work is done: CPU or CUDA, and in which precision."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ace_ros.errors import InputError


def resolve_device(device: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU.

    Raises:
        InputError: an unknown device, or CUDA asked for where there is none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError:
        raise InputError(f"device: '{device}' is not a device; use auto, cpu, cuda or cuda:N") from None
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: '{device}' was asked for, but PyTorch finds no CUDA device; use --device cpu")
    return resolved


@lru_cache(maxsize=1)
def _cpu_has_bfloat16() -> bool:
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # older torch does not tell
    return bool(supported and supported())


@lru_cache
def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def comparable(cosines: Tensor) -> Tensor:
    """``cosines`` in a type whose maximum is found several times as fast, where there is one; in no order below zero.

    Positive bfloat16 are in order as the whole numbers that their bits are, and CPUs compare these fast.
    """
    return cosines.view(torch.int16) if cosines.dtype is torch.bfloat16 else cosines
