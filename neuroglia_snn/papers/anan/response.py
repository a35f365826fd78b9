"""A layer's output for an image when every kernel's weights have been scaled for that image.

Eq. 3 changes a weight by a multiple of its own size, w <- w + z|w| with one z for all weights of a
kernel. Weights that began positive therefore stay multiples of what they were, and so do those that
began negative: w = p w+ + q w-, two numbers a kernel. The layer is linear in its weights, so from what it
gives with its own, y = w+ * x + w- * x + bias, and from e = w+ * x follows what it gives with any others:
q y + (p - q) e + (1 - q) bias. One more convolution serves any number of presentations, every image of a
batch has weights of its own, and no weight is ever written to.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

#: Layers whose output is linear in their weights, one kernel (or unit) an output channel.
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)

#: How the responses of a kernel's map become the one number y_j that eq. 1 takes.
ACTIVITIES = ("mean", "max")

#: What z of eq. 3 is: (triggered by activity, triggered by silence, not triggered).
CHANGES = {
    "percentage": lambda a, b: (a - 1.0, -b, 0.0),
    "literal": lambda a, b: (a, -b, 1.0),
}


class Response:
    """What a layer answers to a batch, as a function of its kernels' gains.

    Parameters
    ----------
    layer : module
        One of `LAYERS`.
    images : tensor
        The layer's input, with or without a batch dimension.
    output : tensor
        What the layer gave for it, with its own weights.
    """

    def __init__(self, layer: nn.Module, images: Tensor, output: Tensor):
        weight: Tensor = layer.weight  # type: ignore[assignment]
        self._bias: Tensor | None = layer.bias  # type: ignore[assignment]
        if isinstance(layer, nn.Linear):
            self._axis, features = -1, 1
            apply: Callable[..., Tensor] = nn.functional.linear
        else:
            self._axis, features = 1, weight.dim() - 1
            apply = layer._conv_forward  # type: ignore[assignment]
        self._single = images.dim() == features
        if self._single:
            images, output = images.unsqueeze(0), output.unsqueeze(0)
        self._map = tuple(d for d in range(1, output.dim()) if d != self._axis % output.dim())
        self._own = output
        self._excitatory = apply(images, weight.clamp(min=0), None)

    def start(self) -> Tensor:
        """The gains (p, q) of unchanged weights: ones of shape (2, images, kernels)."""
        return self._unchanged

    def output(self, gains: Tensor) -> Tensor:
        """The layer's output with these gains, as the layer would have given it."""
        answer = self._maps(gains)
        return answer.squeeze(0) if self._single else answer

    def activity(self, gains: Tensor, kind: str) -> Tensor:
        """The output y_j of every kernel, (images, kernels): its map's mean or largest response."""
        if not self._map:
            return self._maps(gains)
        if kind == "max":
            unchanged = gains is self._unchanged
            return self._largest if unchanged else self._maps(gains).amax(self._map)
        own, excitatory = self._means
        p, q = gains
        return q * own + (p - q) * excitatory + self._constant(q)

    def select(self, images: slice) -> Response:
        """The response to some images of the batch; to one image, it takes any number of gains."""
        chosen = copy.copy(self)
        for derived in ("_unchanged", "_largest", "_means"):
            chosen.__dict__.pop(derived, None)
        chosen._own, chosen._excitatory = self._own[images], self._excitatory[images]
        return chosen

    @functools.cached_property
    def _unchanged(self) -> Tensor:
        """Gains of the layer's own weights."""
        return self._own.new_ones(2, self._own.shape[0], self._own.shape[self._axis])

    @functools.cached_property
    def _largest(self) -> Tensor:
        """Of each kernel's map with its own weights, (images, kernels)."""
        return self._own.amax(self._map)

    @functools.cached_property
    def _means(self) -> tuple[Tensor, Tensor]:
        """Of each kernel's map, (images, kernels) each."""
        return self._own.mean(self._map), self._excitatory.mean(self._map)

    def _maps(self, gains: Tensor) -> Tensor:
        p, q = gains
        constant, rest, own = (self._over_map(v) for v in (self._constant(q), p - q, q))
        return torch.addcmul(constant, own, self._own).addcmul_(rest, self._excitatory)

    def _constant(self, q: Tensor) -> Tensor:
        """What the bias adds, (images, kernels)."""
        return torch.zeros_like(q) if self._bias is None else (1 - q) * self._bias

    def _over_map(self, values: Tensor) -> Tensor:
        """(images, kernels) in a shape that broadcasts over each kernel's map."""
        for dimension in self._map:
            values = values.unsqueeze(dimension)
        return values


def changed(gains: Tensor, trigger: Tensor, z: tuple[float, float, float]) -> Tensor:
    """The gains after one change of the weights, w <- w + z|w| (eq. 3).

    Parameters
    ----------
    gains : tensor
        (p, q) of shape (2, images, kernels).
    trigger : tensor
        1 where activity has triggered the kernel's astrocyte, -1 where silence has, else 0.
    z : tuple
        For each of these three cases; see `CHANGES`.
    """
    up, down, otherwise = (gains.new_tensor(value) for value in z)
    step = torch.where(trigger > 0, up, torch.where(trigger < 0, down, otherwise))
    if not step.any():
        return gains
    p, q = gains
    return torch.stack([p + step * p.abs(), q - step * q.abs()])  # q stands before weights below 0
