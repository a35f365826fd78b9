"""A population of a model, or a group of Brian2, as a process.

Lava wants ports and variables declared in classes: for each set of them there is one class of process, with two of
models.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import numpy as np

from neuroglia_snn.backends.lava.ports import LAPLACIAN
from neuroglia_snn.backends.lava.recipe import Recipe
from neuroglia_snn.fixedpoint.formats import Format
from neuroglia_snn.lava import compat

compat.prepare()

from lava.magma.core.decorator import implements, requires, tag  # noqa: E402
from lava.magma.core.model.py.model import PyLoihiProcessModel  # noqa: E402
from lava.magma.core.model.py.ports import PyInPort, PyOutPort  # noqa: E402
from lava.magma.core.model.py.type import LavaPyType  # noqa: E402
from lava.magma.core.process.ports.ports import InPort, OutPort  # noqa: E402
from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.process.variable import Var  # noqa: E402
from lava.magma.core.resources import CPU  # noqa: E402
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol  # noqa: E402


class PopulationProcess(AbstractProcess):
    """A population by itself, a step of which is done in each Lava step; see `process`.

    Attributes
    ----------
    ports : mapping
        What each port takes or sends, in a sentence.
    formats : mapping
        Format of every variable and port in the fixed-point model; worked out when it is asked for first.
    """

    _runtime = None  # so that a refused one can be deleted

    def __init__(self, recipe: Recipe, name: str | None = None) -> None:
        super().__init__(name=name, recipe=recipe)
        size, alone = recipe.alone.size, recipe.alone
        for one in alone.inputs:
            setattr(self, f"a_{one}", InPort(shape=(size,)))
        for port in (*alone.values, *alone.events):
            setattr(self, port, OutPort(shape=(size,)))
        for variable, array in alone.states.items():
            setattr(self, _var(variable), Var(shape=(size,), init=np.array(array.values(), float)))
        self.formats: Mapping[str, Format] = _Formats(recipe)
        self.ports: Mapping[str, str] = _sentences(recipe)

    def __reduce__(self) -> tuple:
        """What Lava saves: what the process was made of, and its connections."""
        kept = {n: v for n, v in self.__dict__.items() if n not in ("formats", "ports")}
        return _again, (self.proc_params["recipe"],), kept

    def __setstate__(self, kept: dict) -> None:
        self.__dict__.update(kept)
        self.formats = _Formats(self.proc_params["recipe"])
        self.ports = _sentences(self.proc_params["recipe"])


class PopulationModel(PyLoihiProcessModel):
    """What the models of all populations do."""

    fixed = False

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self._running = proc_params["recipe"].running(self.fixed)

    def start(self) -> None:
        """Let the Vars be the population's own arrays, then begin."""
        for variable, values in self._running.states.items():
            setattr(self, _var(variable), values)
        super().start()

    def run_spk(self) -> None:
        """One step of the population."""
        self._running.step(self._receive, self._send)

    def on_var_update(self) -> None:
        """Take note of Vars that were set."""
        self._running.refresh()

    def _receive(self, name: str) -> np.ndarray | None:
        port = getattr(self, f"a_{name}")
        return port.recv() if port.csp_ports else None

    def _send(self, port: str, values: np.ndarray) -> None:
        getattr(self, port).send(values)


def of(recipe: Recipe, name: str | None = None) -> PopulationProcess:
    """The process of a population."""
    return _class_of(recipe)(recipe, name)


def _again(recipe: Recipe) -> PopulationProcess:
    made = _class_of(recipe)
    return made.__new__(made)


def _class_of(recipe: Recipe) -> type[PopulationProcess]:
    alone = recipe.alone
    ports = tuple(f"a_{n}" for n in alone.inputs), (*alone.values, *alone.events)
    return _classes(*ports, tuple(map(_var, alone.states)))


@functools.cache
def _classes(
    received: tuple[str, ...], sent: tuple[str, ...], variables: tuple[str, ...]
) -> type[PopulationProcess]:
    """The class of processes with some ports and variables; Lava finds its models in this module."""
    number = _classes.cache_info().currsize
    own = {"__module__": __name__, "__doc__": PopulationProcess.__doc__}
    process = type(f"Population_{number}", (PopulationProcess,), own)
    for fixed in (False, True):
        kind, more = (np.int32, {"precision": 24}) if fixed else (float, {})
        declared = {
            **dict.fromkeys(received, LavaPyType(PyInPort.VEC_DENSE, kind, **more)),
            **dict.fromkeys(sent, LavaPyType(PyOutPort.VEC_DENSE, kind, **more)),
            **dict.fromkeys(variables, LavaPyType(np.ndarray, kind, **more)),
        }
        made = type(
            f"Py{process.__name__}{'Fixed' if fixed else 'Float'}",
            (PopulationModel,),
            {"__module__": __name__, "fixed": fixed, **declared},
        )
        made = requires(CPU)(tag("fixed_pt" if fixed else "floating_pt")(made))
        globals()[made.__name__] = implements(proc=process, protocol=LoihiProtocol)(made)
    globals()[process.__name__] = process
    return process


def _var(variable: str) -> str:
    """The name of a variable's Var; one that Lava's processes have for something else takes an underscore."""
    taken = variable in _TAKEN or hasattr(PyLoihiProcessModel, variable)
    return f"{variable}_" if taken else variable


_TAKEN = {*dir(AbstractProcess), *vars(AbstractProcess()), "formats", "ports", "fixed", "time_step"}
_TAKEN |= {*vars(PyLoihiProcessModel({}))}


class _Formats(Mapping[str, Format]):
    """Formats of the fixed-point model, which is made when they are asked for first."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def __getitem__(self, name: str) -> Format:
        return self._recipe.formats[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipe.formats)

    def __len__(self) -> int:
        return len(self._recipe.formats)

    def __repr__(self) -> str:
        return str({name: str(made) for name, made in self.items()})


def _sentences(recipe: Recipe) -> dict[str, str]:
    """What each port takes or sends."""
    alone, found = recipe.alone, {}
    for name, one in alone.inputs.items():
        what = f"is added to {name}" if one.adds else f"is {name} in the step"
        if name in recipe.units:
            worth = f"1 is {recipe.units[name]:g}"
        elif one.coupled:
            worth = f"in fixed point a count is 1/{LAPLACIAN} of a count of {one.coupled}, as `laplacian` sends"
        else:
            worth = "1 is 1" if one.unit == 1 else f"in fixed point a count is {one.unit:g}"
        found[f"a_{name}"] = f"{what}; {worth} (SI units)"
    for port in alone.values:
        if port in alone.gives:
            multiple = alone.gives[port][1]
            counts = f"; in fixed point in counts of {multiple:g}" if multiple else ""
            found[port] = f"what each unit gives to {port[2:]} of another population{counts}"
        else:
            found[port] = f"{port[2:]} after the step; in fixed point its integer (see `formats`)"
    for port in alone.events:
        event = "spike" if port == "s_out" else port[2:]
        found[port] = f"1 for each unit with the event '{event}' in the step, else 0"
    return found
