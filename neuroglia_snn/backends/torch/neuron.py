"""A population of a model file as a layer with snnTorch's conventions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import snntorch
import torch
from snntorch import surrogate

from neuroglia_snn import spec
from neuroglia_snn.backends.torch.system import State, System
from neuroglia_snn.catalog.load import load
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import BackendError


class Neuron(snntorch.Lapicque):
    """Units of a model file as a layer: input current in, spikes (and membranes) out.

    One call advances every unit by ``steps`` time steps of the model, with the input held; the same
    call serves constant input and spike trains. ``snntorch.utils.reset`` finds layers by their class,
    hence the ancestor: nothing of Lapicque's equation is used.

    Parameters
    ----------
    model : `neuroglia_snn.spec.Model`, or name or path of a model file
    population : str, optional
        Needed where the model has several.
    input : str, optional
        The variable that receives the layer's input; needed where the population has several.
    mem : str, optional
        The variable called ``mem``; the first one by default.
    steps : int
        Time steps of the model in one call.
    threshold : float
        Of ``mem``, for a population that has no threshold of its own.
    spike_grad : callable, optional
        A surrogate gradient of `snntorch.surrogate`; ``atan()`` by default.
    init_hidden, output : bool
        As everywhere in snnTorch, see Returns of `forward`.
    learn : sequence of str
        Parameters of the model that are trained with the network, as ``learn_beta`` is in snnTorch.

    Raises
    ------
    BackendError
        If the population cannot be a layer; the message says why.

    Examples
    --------
    >>> layer = Neuron("fhn_excitable", steps=10, init_hidden=True)
    >>> network = torch.nn.Sequential(torch.nn.Linear(784, 100), layer, torch.nn.Linear(100, 10))
    """

    def __init__(
        self,
        model: spec.Model | str,
        population: str | None = None,
        *,
        input: str | None = None,
        mem: str | None = None,
        steps: int = 1,
        threshold: float = 1.0,
        spike_grad: Callable | None = None,
        init_hidden: bool = False,
        output: bool = False,
        learn: Sequence[str] = (),
    ):
        snntorch.SpikingNeuron.__init__(
            self,
            threshold=threshold,
            spike_grad=spike_grad or _atan,
            init_hidden=init_hidden,
            output=output,
            reset_mechanism="none",
        )
        try:
            self._make(model, population, input, mem, steps, learn)
        except BaseException:
            self.instances.remove(self)  # snnTorch would reset what is half made
            raise

    def _make(
        self,
        model: spec.Model | str,
        population: str | None,
        input: str | None,
        mem: str | None,
        steps: int,
        learn: Sequence[str],
    ) -> None:
        self.system = System(model, population)
        who = self._who
        self.input = _one_of("input", input, self.system.inputs, who)
        variables = self.system.variables
        self.potential = require_variable("mem", mem or variables[0], variables, who)
        if steps < 1:
            raise BackendError(f"steps is a whole number from 1 on, not {steps}")
        self.steps = steps
        for name in learn:
            if name not in self.system.parameters:
                known = self.system.parameters
                raise BackendError(
                    f"{who} has no parameter '{name}' to learn{nearest(name, known)}"
                )
            if hasattr(self, name):
                raise BackendError(
                    f"the parameter '{name}' of {who} cannot learn: layers have a '{name}' of their"
                    " own; rename it in the model file"
                )
            value = torch.tensor(float(self.system.parameters[name]))
            self.register_parameter(name, torch.nn.Parameter(value))
        self.learn = tuple(learn)
        for name in variables:
            self.register_buffer(_buffer(name), None, persistent=False)
        self._done = 0  # steps since the start, of the hidden state

    @property
    def _who(self) -> str:
        return f"population '{self.system.population.name}' of '{self.system.model.name}'"

    @classmethod
    def load(cls, name_or_path: str, settings: Mapping[str, str], **options) -> Neuron:
        """A layer of a model file with other parameters.

        ``Neuron.load("fhn_excitable", {"eps": "0.1"})``

        ``settings`` are those of `neuroglia_snn.load`, ``options`` those of this class.
        """
        return cls(load(name_or_path, settings), **options)

    # ------------------------------------------------------------------ hidden state

    @property
    def others(self) -> tuple[str, ...]:
        """Variables beside ``mem``, in the order in which they are passed."""
        return tuple(n for n in self.system.variables if n != self.potential)

    @property
    def _hidden(self) -> State:
        """What is there of the hidden state, by variable.

        Its tensors are buffers, so that they go where the network goes.
        """
        kept = {n: getattr(self, _buffer(n)) for n in self.system.variables}
        return {name: value for name, value in kept.items() if value is not None}

    @_hidden.setter
    def _hidden(self, state: State) -> None:
        for name in self.system.variables:
            setattr(self, _buffer(name), state.get(name))

    @property
    def mem(self) -> torch.Tensor:
        """The membrane variable of every unit; empty before the first call."""
        return self._hidden.get(self.potential, torch.zeros(0))

    @mem.setter
    def mem(self, value: torch.Tensor) -> None:
        """Set it; to zeros, as ``snntorch.utils.reset`` does, puts units back to their start."""
        if value.numel() and not value.is_meta and bool(value.any()):
            self._hidden = {**self._hidden, self.potential: value}
        else:
            self.reset_mem()

    def reset_mem(self) -> torch.Tensor:
        """Forget the hidden state: the next call starts from the file's initial values, at t = 0."""
        self._hidden, self._done = {}, 0
        return self.mem

    @classmethod
    def reset_hidden(cls) -> None:
        """Put the hidden state of every such layer back to its start."""
        for layer in cls._layers():
            layer.reset_mem()

    @classmethod
    def detach_hidden(cls) -> None:
        """Cut every such layer's hidden state off the graph, for truncated backpropagation."""
        for layer in cls._layers():
            layer._hidden = {name: value.detach() for name, value in layer._hidden.items()}

    @classmethod
    def _layers(cls) -> list[Neuron]:
        return [layer for layer in cls.instances if isinstance(layer, Neuron)]

    def __getstate__(self) -> dict:
        """For copies and pickles, whose hidden state is cut off the graph."""
        state = self.__dict__.copy()
        buffers = {n: None if b is None else b.detach() for n, b in self._buffers.items()}
        return state | {"_buffers": buffers}

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.instances.append(self)  # where snnTorch looks for layers to reset

    # ----------------------------------------------------------------------- forward

    def forward(self, input_: torch.Tensor, *state: torch.Tensor, t: float | None = None):
        """Advance the layer.

        Parameters
        ----------
        input_ : tensor (batch, ...)
            Current of every unit, in SI units. Spikes have its type, and everything is computed
            where it lives, in its precision but at least in float32; whole numbers and truth values
            count as float32.
        *state : tensors
            `others`, then ``mem``, as the last call returned them, of the input's shape or one that
            broadcasts to it; none for the initial state. Not with ``init_hidden``.
        t : float, optional
            Time at the beginning of the call, in seconds; needed with a state where the equations
            read ``t``. A layer with ``init_hidden`` counts its own.

        Returns
        -------
        ``spk`` with ``init_hidden``; ``spk, mem`` with ``output`` too; else ``spk, *others, mem``.
        A spike is 1 where the threshold was passed in any of the ``steps``.

        Raises
        ------
        BackendError
            For an input of complex numbers, a state whose shape does not fit the input's, or a time
            that is missing.
        """
        if self.init_hidden:
            if state or t is not None:
                raise TypeError("no state or time is passed to a layer with init_hidden=True")
            before = self._hidden
            if any(value.shape != input_.shape for value in before.values()):
                self.reset_mem()  # another batch, as for every layer of snnTorch
                before = {}
            start = self._done * self.system.dt
        elif state and len(state) != len(self.system.variables):
            raise TypeError(f"the state is ({', '.join((*self.others, 'mem'))}), or nothing")
        else:
            before = dict(zip((*self.others, self.potential), state, strict=False))
            start = self._time(t, bool(state))
        values = self._begin(input_, before)
        current = values[self.input]
        spk = torch.zeros_like(current)
        self.system.parameters.update({name: getattr(self, name) for name in self.learn})
        margin = self._margin(values, start)
        for n in range(self.steps):
            values, margin, fired = self._advance(values, margin, start + n * self.system.dt)
            spk = torch.maximum(spk, fired)
        self._hidden = {name: values[name] for name in self.system.variables}
        self._done += self.steps
        spk = spk.to(input_.dtype if input_.is_floating_point() else current.dtype)
        if self.init_hidden:
            return (spk, self.mem) if self.output else spk
        return (spk, *(values[name] for name in self.others), self.mem)

    def _time(self, t: float | None, going_on: bool) -> float:
        if t is None and going_on and self.system.reads_time:
            raise BackendError(
                f"the equations of {self._who} read t: pass t=..., in seconds, with a state, or use"
                " init_hidden=True"
            )
        return t or 0.0

    def _begin(self, input_: torch.Tensor, before: State) -> State:
        """Everything that a step reads, in one type and place."""
        if input_.is_complex():
            raise BackendError(f"the input of {self._who} is of complex numbers; pass real ones")
        kind = input_.dtype if input_.is_floating_point() else torch.get_default_dtype()
        kind = functools.reduce(torch.promote_types, (v.dtype for v in before.values()), kind)
        kind = torch.promote_types(kind, torch.float32)
        values = self.system.initial(input_.shape, kind, input_.device)
        for name, given in before.items():
            try:
                values[name] = given.to(input_.device, kind).expand(input_.shape)
            except RuntimeError:
                raise BackendError(
                    f"the state '{name}' of {self._who} has shape {tuple(given.shape)}, the input"
                    f" {tuple(input_.shape)}: give one of the input's shape"
                ) from None
        return values | {self.input: input_.to(kind)}

    def _advance(
        self, values: State, before: torch.Tensor, t: float
    ) -> tuple[State, torch.Tensor, torch.Tensor]:
        """State, margin and spikes a step after time t; ``before`` is the margin at t.

        As in Brian2, threshold and reset still belong to time t.
        """
        after = self.system.step(values, t=t)
        margin = self._margin(after, t)
        fired = self.spike_grad(margin)
        if self.system.once_a_crossing:
            fired = fired * (before <= 0)
        if self.system.resets:
            spiked, reset = fired.detach() > 0, self.system.reset(after, t)
            after = {n: torch.where(spiked, reset[n], v) for n, v in after.items()}
            margin = self._margin(after, t)
        return after, margin, fired

    def _margin(self, values: State, t: float) -> torch.Tensor:
        margin = self.system.margin(values, t)
        return values[self.potential] - self.threshold if margin is None else margin

    def extra_repr(self) -> str:
        """What ``print(network)`` says of the layer."""
        system = self.system
        return f"{system.model.name}, population={system.population.name}, steps={self.steps}"


def reset(network: torch.nn.Module) -> None:
    """Put every layer of a network that has a hidden state back to its start, however deep it stands.

    ``snntorch.utils.reset`` looks at a network's own layers, not at those within its parts, and then
    resets all layers there are, also those of other networks.
    """
    for layer in network.modules():
        if isinstance(layer, snntorch.SpikingNeuron) and hasattr(layer, "reset_mem"):
            layer.reset_mem()


def _buffer(variable: str) -> str:
    return f"hidden_{variable}"


def _atan(margin: torch.Tensor) -> torch.Tensor:
    """The default surrogate gradient, `snntorch.surrogate.atan`, as something that can be pickled."""
    return surrogate.atan()(margin)


def _one_of(what: str, name: str | None, known: Sequence[str], who: str) -> str:
    if name is None and len(known) == 1:
        return known[0]
    return require_variable(what, name, known, who)


def require_variable(what: str, name: str | None, known: Sequence[str], who: str) -> str:
    """``name``, which is one of ``known``.

    Raises
    ------
    BackendError
        If it is not.
    """
    if name is None or name not in known:
        said = f"there is no '{name}'{nearest(name, known)}" if name else "say which"
        raise BackendError(f"{who}: {said} ({what}: one of {', '.join(known) or 'none'})")
    return name
