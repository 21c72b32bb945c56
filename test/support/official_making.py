"""State dicts of the shapes that ACE publishes, with random weights, and what they mean, in a few lines."""

import numpy as np
import torch
import torch.nn.functional as F

ENCODER = {
    "conv1": (32, 1, 3), "conv2": (64, 32, 3), "conv3": (128, 64, 3), "conv4": (256, 128, 3),
    "res1_conv1": (256, 256, 3), "res1_conv2": (256, 256, 1), "res1_conv3": (256, 256, 3),
    "res2_conv1": (512, 256, 3), "res2_conv2": (512, 512, 1), "res2_conv3": (512, 512, 3), "res2_skip": (512, 256, 1),
}  # fmt: skip
BOUNDS = {"max_scale": 4.0, "min_scale": 0.01, "max_inv_scale": 0.25, "h_beta": 0.924, "min_inv_scale": 100.0}


def convolution(outputs, inputs, kernel, generator, gain=1.0):
    deviation = gain * (2 / (inputs * kernel**2)) ** 0.5
    weight = torch.randn(outputs, inputs, kernel, kernel, generator=generator) * deviation
    return weight, torch.randn(outputs, generator=generator) * 0.1


def encoder_state(seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in ENCODER.items():
        state[f"{name}.weight"], state[f"{name}.bias"] = convolution(*shape, generator, gain=0.7)
    return state


def head_state(blocks=2, seed=0, mean=(1.5, -2.25, 0.75)):
    """A head in half precision; ``blocks`` counts the one called res3."""
    generator = torch.Generator().manual_seed(seed)
    names = [f"res3_conv{i}" for i in (1, 2, 3)] + [f"{b}c{i}" for b in range(blocks - 1) for i in range(3)]
    state = {}
    for name in [*names, "fc1", "fc2", "fc3"]:
        outputs = 4 if name == "fc3" else 512
        state[f"{name}.weight"], state[f"{name}.bias"] = convolution(outputs, 512, 1, generator, gain=0.5)
    state |= {name: torch.tensor([value]) for name, value in BOUNDS.items()}
    return {name: value.half() for name, value in (state | {"mean": torch.tensor(mean).reshape(1, 3, 1, 1)}).items()}


def conv(x, state, name, stride=1):
    weight = state[f"{name}.weight"].double()
    return F.conv2d(x, weight, state[f"{name}.bias"].double(), stride, padding=weight.shape[-1] // 2)


def chain(x, state, *names, strides=(1, 1, 1, 1)):
    for name, stride in zip(names, strides, strict=False):
        x = conv(x, state, name, stride).relu()
    return x


def features_of(grey, state):
    """(512, H / 8, W / 8) of an image (H, W) uint8."""
    x = (torch.from_numpy(np.asarray(grey)).double()[None, None] / 255 - 0.4) / 0.25
    x = chain(x, state, "conv1", "conv2", "conv3", "conv4", strides=(1, 2, 2, 2))
    x = x + chain(x, state, "res1_conv1", "res1_conv2", "res1_conv3")
    return (conv(x, state, "res2_skip") + chain(x, state, "res2_conv1", "res2_conv2", "res2_conv3"))[0]


def coordinates_of(features, state):
    """(N, 3) scene coordinates of features (N, 512)."""
    x = features.double().T[None, :, None]
    x = x + chain(x, state, "res3_conv1", "res3_conv2", "res3_conv3")
    for block in range(sum(name.endswith("c0.weight") for name in state)):
        x = x + chain(x, state, *(f"{block}c{i}" for i in range(3)))
    out = conv(chain(x, state, "fc1", "fc2"), state, "fc3")
    beta, least, most = (float(state[name]) for name in ("h_beta", "max_inv_scale", "min_inv_scale"))
    divisor = (torch.log1p(torch.exp(beta * out[:, 3:])) / beta + least).clamp(max=most)
    return (out[:, :3] / divisor + state["mean"].double())[0, :, 0].T
