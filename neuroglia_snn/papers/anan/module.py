"""`AstrocyteModulated`: a trained network with astrocytes at one of its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import UserError
from neuroglia_snn.papers.anan.astrocytes import Astrocytes, Counter, Maker
from neuroglia_snn.papers.anan.response import (
    ACTIVITIES,
    CHANGES,
    LAYERS,
    Response,
    changed,
)


class AstrocyteModulated(nn.Module):
    """A trained network whose weights at one layer follow that layer's activity, image by image.

    While an image is shown, k times over, one artificial astrocyte for each kernel counts the
    presentations in which the kernel was active (eqs 1-2). From mu active (or silent) ones on it
    changes the kernel's weights after every presentation (eq. 3). The answer is that of the k-th
    presentation. Nothing is trained, every image begins with the original weights, and the wrapped
    network's weights are never written to: it can be used, trained and saved as before.

    Parameters
    ----------
    model : module
        A trained network.
    layer : str
        Name of the layer to watch, as in ``model.named_modules()``: a convolution (1, 2 or 3
        dimensions) or a linear layer, anywhere in the network.
    k : int
        Presentations of an image, at least 1.
    mu : int
        Active (silent) presentations that trigger an astrocyte, at least 1.
    a, b : float
        Reinforcement and weakening, see ``change``.
    change : {"percentage", "literal"}
        Reading of eq. 3, dw = z|w|. "percentage": z is a - 1 where activity triggered the astrocyte,
        -b where silence did, 0 elsewhere; a = 1.05 reinforces by 5 %, as the paper's text says.
        "literal": z is a, -b and 1, as eq. 3 is printed, so that untriggered weights double.
    activity : {"mean", "max"}
        The output y_j of a kernel, whose map has many: its mean, or the largest response.
    spikes : str, optional
        For a spiking network, which calls its layers once a time step: the layer whose output is
        the kernels' spikes. Each time step is then one presentation, a kernel is active when any of
        its neurons spikes, and the weights change for the first k steps of the network's own loop.
    astrocytes : callable, optional
        Makes the astrocytes of a batch, given mu (default: the paper's `Counter`; see
        `neuroglia_snn.papers.anan.calcium` for Li-Rinzel astrocytes).

    Raises
    ------
    UserError
        If there is no such layer, it is no convolution or linear layer, the network has weights that
        are not finite, or an option is out of range.

    Notes
    -----
    Source: Ribas-Rodriguez et al., "Training-Free Approach of Convolutional Neural Networks with
    Astrocyte-Inspired Architectures", sec. 3.3. Input and output are the wrapped network's; the
    batch is the first dimension of the layer's input.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        k: int = 4,
        mu: int = 2,
        a: float = 1.05,
        b: float = 0.30,
        *,
        change: str = "percentage",
        activity: str = "mean",
        spikes: str | None = None,
        astrocytes: Maker = Counter,
    ):
        super().__init__()
        self.model = model
        self.layer, self.spikes = layer, spikes
        self.k, self.mu = _count("k", k), _count("mu", mu)
        self.a, self.b = _finite("a", a), _finite("b", b)
        self.change = _choice("change", change, CHANGES)
        self.activity = _choice("activity", activity, ACTIVITIES)
        self.astrocytes = astrocytes
        watched_layer(model, layer)
        if spikes is not None:
            _named(model, spikes)
        require_finite(model)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The wrapped network's answer with modulated weights; arguments are the network's."""
        layer = watched_layer(self.model, self.layer)
        if self.spikes is None:
            with answering(layer, self._after_presentations):
                return self.model(*inputs, **named)
        course = _Course(self)
        spiking = _named(self.model, self.spikes)
        with answering(layer, course.answer), spiking.register_forward_hook(course.watch):
            return self.model(*inputs, **named)

    def extra_repr(self) -> str:
        """The options, as `print` shows them."""
        return (
            f"layer={self.layer}, k={self.k}, mu={self.mu}, a={self.a}, b={self.b},"
            f" change={self.change}, activity={self.activity}"
        )

    def _after_presentations(self, response: Response) -> Tensor:
        *_, last = presentations(response, self.astrocytes(self.mu), self.k, self._z, self.activity)
        return response.output(last)

    @property
    def _z(self) -> tuple[float, float, float]:
        return CHANGES[self.change](self.a, self.b)


def presentations(
    response: Response,
    astrocytes: Astrocytes,
    k: int,
    z: tuple[float, float, float],
    activity: str,
) -> Iterator[Tensor]:
    """The kernels' gains, (2, images, kernels), during each of k presentations of the same images."""
    gains, trigger = response.start(), None
    yield gains
    for _ in range(k - 1):
        with torch.no_grad():
            if trigger is None or not astrocytes.settled:
                trigger = astrocytes.observe(response.activity(gains, activity) > 0)
            gains = changed(gains, trigger, z)
        yield gains


class _Course:
    """The time steps of a spiking network, each one presentation."""

    def __init__(self, options: AstrocyteModulated):
        self._options = options
        self._astrocytes = options.astrocytes(options.mu)
        self._gains: Tensor | None = None
        self._seen = 0

    def answer(self, response: Response) -> Tensor:
        """The layer's output at this time step."""
        if self._gains is None:
            self._gains = response.start()
        return response.output(self._gains)

    def watch(self, layer: nn.Module, inputs: tuple, output: Any) -> None:
        """See the spikes of this time step; change the weights for the next."""
        spikes = output[0] if isinstance(output, tuple) else output
        if self._seen == self._options.k or self._gains is None:
            return
        self._seen += 1
        with torch.no_grad():
            active = spikes.flatten(2).amax(2) > 0 if spikes.dim() > 2 else spikes > 0
            if active.shape != self._gains.shape[1:]:
                raise UserError(
                    f"'{self._options.spikes}' has {tuple(active.shape)[1:]} channels of spikes but"
                    f" '{self._options.layer}' {self._gains.shape[2]} kernels"
                )
            trigger = self._astrocytes.observe(active)
            self._gains = changed(self._gains, trigger, self._options._z)


@contextmanager
def answering(layer: nn.Module, answer: Callable[[Response], Tensor]) -> Iterator[None]:
    """While this lasts, the layer's output is what ``answer`` makes of its response."""
    lasts, learning = True, torch.is_grad_enabled()

    def hook(layer: nn.Module, inputs: tuple, *named_and_output: Any) -> Tensor | None:
        if not lasts:  # and perhaps only half registered
            return None
        named, output = named_and_output
        images = inputs[0] if inputs else named["input"]
        return answer(Response(layer, images, output))

    try:
        with layer.register_forward_hook(hook, with_kwargs=True):
            yield
    finally:
        lasts = False  # an interruption may come before the handle is ours: the hook is then inert
        torch.set_grad_enabled(learning)  # or between the two halves of torch.no_grad()


def watched_layer(model: nn.Module, name: str) -> nn.Module:
    """The layer of this name that astrocytes can watch.

    Raises
    ------
    UserError
        If there is none, or it is neither a convolution nor a linear layer.
    """
    layer = _named(model, name)
    if not isinstance(layer, LAYERS):
        usable = [n for n, module in model.named_modules() if n and isinstance(module, LAYERS)]
        raise UserError(
            f"layer '{name}' is a {type(layer).__name__}; astrocytes watch a convolution or a linear"
            f" layer (this network has {', '.join(usable) or 'none'})"
        )
    return layer


def require_finite(model: nn.Module) -> None:
    """Refuse a network whose training has failed.

    Raises
    ------
    UserError
        Naming the first parameter that has NaN or infinite values.
    """
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise UserError(f"the network's '{name}' has weights that are NaN or infinite")


def _named(model: nn.Module, name: str) -> nn.Module:
    modules = dict(model.named_modules())
    if not name or name not in modules:
        known = [n for n in modules if n]
        raise UserError(
            f"the network has no layer '{name}'{nearest(name, known)}"
            f" (it has {', '.join(known) or 'none'})"
        )
    return modules[name]


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{name} is a whole number of presentations, at least 1, not {value!r}")
    return value


def _finite(name: str, value: float) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value < float("inf"):
        raise UserError(f"{name} is a number from 0 up, not {value!r}")
    return float(value)


def _choice(name: str, value: str, known: Any) -> str:
    if value not in known:
        raise UserError(f"{name} is one of {', '.join(known)}, not {value!r}")
    return value
