"""A model as the CUDA of one loop: what `kernel.cu.jinja` is filled with.

Nothing here knows an equation; statements come from `statements.translate`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import brian2
import jinja2
import numpy as np
import sympy
from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.core.variables import ArrayVariable
from brian2.parsing.sympytools import sympy_to_str
from brian2.stateupdaters.base import StateUpdateMethod
from brian2.utils.stringtools import get_identifiers
from sympy.logic.boolalg import Boolean

from neuroglia_snn import algebra, couplings, lanes, noise, spec, stages
from neuroglia_snn import equations as eqs
from neuroglia_snn.backends.brian import coupling, gate, symbolic
from neuroglia_snn.backends.brian.network import CHECK_EVERY, NONFINITE, Network, pairs
from neuroglia_snn.backends.brian.project import LOOP, PROGRESS
from neuroglia_snn.backends.fused_cuda import linear
from neuroglia_snn.backends.fused_cuda.memory import (
    EVENTS,
    SHARED,
    Memory,
    memory,
    require_tile,
)
from neuroglia_snn.backends.fused_cuda.statements import RESULT, Block, translate
from neuroglia_snn.integrators import INTEGRATORS
from neuroglia_snn.quantities import UNITS

FOLDER = Path(__file__).parent
REACHED = "neuroglia-reached"
#: Followed by the bytes of a GPU's memory that all arrays took.
MEMORY = "neuroglia-memory"
_LINE = re.compile(r"const (\w+) (\w+) = (.*);")
_SHARED = re.compile(r"brian::(\w+)\[0\]")

#: The sum of a mean is taken in so many parts at most.
PARTS = 4096

_TYPES = {"f": "double", "i": "int32_t", "b": "char"}
_OFFSETS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True)
class Kernel:
    """Generated files, name to text or bytes; and what the arrays take of a GPU's memory."""

    files: Mapping[str, str | bytes]
    memory: Memory

    @property
    def digest(self) -> str:
        """Of the program, whatever compiles it: another one may keep its arrays in another order."""
        content = hashlib.sha256()
        for name, text in sorted(self.files.items()):
            content.update(name.encode() + b"\0")
            content.update(text.encode() if isinstance(text, str) else text)
        return content.hexdigest()


@dataclass
class _Population:
    """Everything the template says of one population."""

    name: str
    space: str
    index: int
    real: str
    period: int
    dt: float
    size: int
    order: lanes.Lanes
    arrays: list[SimpleNamespace]
    state: list[str]
    check_every: int
    seed: str = ""
    stream: int = 0
    noise: bool = False
    events: bool = False
    update: Block | None = None
    predict: Block | None = None
    correct: Block | None = None
    variants: list[SimpleNamespace] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)
    threshold: Block | None = None
    reset: Block | None = None
    regularly: list[SimpleNamespace] = field(default_factory=list)
    given_update: list[str] = field(default_factory=list)
    given_predict: list[str] = field(default_factory=list)
    given_correct: list[str] = field(default_factory=list)
    predicted: list[SimpleNamespace] = field(default_factory=list)
    exchanged: list[SimpleNamespace] = field(default_factory=list)
    exchanged_names: set[str] = field(default_factory=set)
    normals: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    shifts: list[SimpleNamespace] = field(default_factory=list)
    slots: list[SimpleNamespace] = field(default_factory=list)
    masked: bool = False
    weights: list[SimpleNamespace] = field(default_factory=list)

    @property
    def cols(self) -> int:
        """Columns of the lattice."""
        return self.order.cols

    @property
    def edge_tables(self) -> list[str]:
        """Tables by column, for each kind of row."""
        masks = [f"mask_{n}" for n in range(len(self.slots))] if self.masked else []
        return [w.name for w in self.weights] + masks

    def type_of(self, name: str) -> str:
        return next(a.type for a in self.arrays if a.name == name)


class _Generator:
    def __init__(self, network: Network, precision: str):
        self.network, self.model = network, network.model
        self.base = min(p.dt for p in self.model.populations.values())
        self.real = {"float32": "float", "float64": "double"}[precision]
        self.populations = {
            p.name: self._population(n, p) for n, p in enumerate(self.model.populations.values())
        }

    def translate(self, code: str, population: _Population, given=None, dt=None) -> Block:
        group = self.network.groups[population.name]
        return translate(code, group, self.network.namespace, population.real, given, dt)

    def periods(self, interval: float) -> int:
        return round(interval / self.base)

    # ------------------------------------------------------------------ populations

    def _population(self, index: int, spec_: spec.Population) -> _Population:
        group = self.network.groups[spec_.name]
        period = self.periods(spec_.dt)
        real = self.real if period == 1 else "double"
        within = couplings.recomputed(self.model, spec_.name)
        inputs = couplings.inputs(within)
        own = eqs.parse(spec_.equations)
        arrays = [
            self._array(name, variable, own, real)
            for name, variable in group.variables.items()
            if isinstance(variable, ArrayVariable)
            and not variable.scalar
            and not name.startswith("_")
            and name not in {"i", *inputs}
        ]
        population = _Population(
            name=spec_.name,
            space=f"pop_{spec_.name}",
            index=index,
            real=real,
            period=period,
            dt=spec_.dt,
            size=spec_.size,
            order=lanes.of(spec_.shape),
            arrays=arrays,
            state=[n for n, e in own.items() if e.kind == "differential"],
            check_every=CHECK_EVERY * period,
            stream=eqs.noise_stream(spec_.name, next(iter(eqs.noises(own)), "xi")),
            noise=bool(eqs.noises(own)),
            events=any(
                r.events and r.population == spec_.name for r in self.model.records.values()
            ),
        )
        if population.noise:
            seed = group.variables[eqs.NOISE_SEED]
            population.seed = brian2.device.get_array_name(seed)
        self._threshold(population, spec_)
        if within:
            self._two_stages(population, spec_, within, group)
        else:
            self._one_stage(population, spec_, group)
        for entry in spec_.regularly:
            steps = self.periods(entry.dt)
            clock = SimpleNamespace(period=period, dt=spec_.dt, size=spec_.size)  # t, dt: its own
            block = self.translate(entry.code, population)
            population.regularly.append(SimpleNamespace(code=block, period=steps, clock=clock))
        blocks = [population.update, population.predict, population.correct, population.reset]
        blocks += [r.code for r in population.regularly]
        written = set().union(*(b.writes for b in blocks if b))
        blocks.append(population.threshold)
        population.touched = written.union(*(b.reads for b in blocks if b))
        written |= {t for p in self.model.projections.values() for t in self._filled(p, spec_.name)}
        for array in arrays:
            array.changes = array.name in written
        if population.predict and population.correct:
            touched = population.correct.writes | (
                population.reset.writes if population.reset else set()
            )
            shared = {s.name for s in population.shifts} | population.predict.reads & touched
            population.exchanged = [a for a in arrays if a.name in shared]
            population.exchanged_names = shared
        return population

    def _filled(self, projection: spec.Projection, population: str) -> set[str]:
        if projection.target.name != population:
            return set()
        return {n.removesuffix("_post") for n in eqs.parse(projection.equations)}

    def _array(self, name: str, variable: ArrayVariable, own, real: str) -> SimpleNamespace:
        kind = _TYPES[np.dtype(variable.dtype).kind]
        if kind == "double" and variable.dim != brian2.second.dim:
            kind = real
        return SimpleNamespace(
            name=name, type=kind, brian=brian2.device.get_array_name(variable), changes=False
        )

    def _threshold(self, population: _Population, spec_: spec.Population) -> None:
        if not spec_.threshold:
            return
        population.threshold = self.translate(f"neuroglia_above = {spec_.threshold}", population)
        population.reset = self.translate(spec_.reset or "", population)

    def _one_stage(self, population: _Population, spec_: spec.Population, group) -> None:
        scheme = INTEGRATORS.get(spec_.integrator)
        given = {}
        if not population.state:
            code = ""
        elif scheme is not None and scheme.own:
            step = stages.step(spec_.integrator, group.equations, _normal)
            code = "\n".join((*step.noise, *step.predict, *step.correct))
            given = _noise_names(step)
        else:
            method = StateUpdateMethod.stateupdaters[spec_.integrator]
            known = {
                n: f for n, f in self.network.namespace.items() if isinstance(f, brian2.Function)
            }
            code = method(group.equations, {**known, **group.variables})
        population.update = self.translate(code, population, given)
        population.given_update = _noise_lines(given)
        population.normals = [n for n in given if n.startswith("normal_")]

    # ------------------------------------------------------------------ stencils

    def _two_stages(self, population, spec_, within: list[couplings.Sum], group) -> None:
        own = eqs.parse(spec_.equations)
        count = within[0].projection.connect.get("neighbours", 4)
        population.slots = [
            SimpleNamespace(slot=n, row=r, column=c) for n, (r, c) in enumerate(_OFFSETS[:count])
        ]
        code: list[str] = []
        given: dict[str, np.dtype] = {}
        for one in within:
            code += self._stencil(population, own, one.variable, one.text, count, given)
        step = stages.step(spec_.integrator, group.equations, _normal, couplings.inputs(within))
        first = (*code, *step.noise, *step.predict)
        later = couplings.later(self.model, spec_.name)
        second = tuple(algebra.substituted(line, later) for line in code)
        second = (*second, *step.noise, *step.correct)
        given |= _noise_names(step)
        predicted = {stages.predicted(n): np.dtype(float) for n in population.state}
        written_out = {
            line.split(" = ", 1)[0] for line in (*code, *second[: len(code)], *step.noise)
        }
        per_unit = {a.name for a in population.arrays} | {"i", *given, *predicted}
        stimuli = [s for s in self.model.stimuli.values() if s.population == spec_.name]
        population.gates = [gate.name_of(s) for s in stimuli]
        for name in ("advance", "advance_quiet") if stimuli else ("advance",):
            halves = [list(first), list(second)]
            if name == "advance_quiet":
                halves = [[_without(x, population.gates) for x in lines] for lines in halves]
                if any(
                    symbolic.parsed(x.split(" = ", 1)[1]) is None for x in itertools.chain(*halves)
                ):
                    population.gates = []  # log(stimulus_on(t)), for one: no such loop
                    break
            predict, correct = (
                "\n".join(linear.combine(lines, per_unit, written_out)) for lines in halves
            )
            population.variants.append(
                SimpleNamespace(
                    name=name,
                    predict=self.translate(predict, population, given),
                    correct=self.translate(correct, population, given | predicted),
                )
            )
        used = {n for v in population.variants for n in v.predict.given | v.correct.given}
        population.weights = [w for w in population.weights if w.name in used]
        population.predict = population.variants[0].predict
        population.correct = population.variants[0].correct
        population.predicted = [
            SimpleNamespace(name=n, type=population.type_of(n)) for n in population.state
        ]
        neighbours = [
            f"const {s.type} {s.value}_ = {s.pointer}[c + ({s.column * lanes.LANES})];"
            for s in population.shifts
        ]
        noises = _noise_lines(given)
        population.normals = [n for n in given if n.startswith("normal_")]
        population.given_predict = [*neighbours, *noises]
        population.given_correct = [
            *(
                f"const {x.type} {x.name}_predicted_ = {x.name}_predicted_row[c];"
                for x in population.predicted
            ),
            *population.given_predict,
        ]

    def _stencil(self, population, own, name, text, count, given) -> list[str]:
        """Statement that sums a coupling over the neighbours; adds what it reads."""
        weight, text = _split_weight(text, set(self.model.parameters))
        used = algebra.names(text)
        variables = [n for n in own if f"{n}_pre" in used]
        # where a neighbour is missing, a mirrored edge gives nothing if equal states give nothing
        mirrored_ends = count == 4 and coupling.vanishes(text) and "N_incoming" not in used
        population.masked |= not mirrored_ends
        terms = []
        neighbours = {v: [f"{v}_{s.slot}_neighbour" for s in population.slots] for v in variables}
        for slot in population.slots:
            names = {n: n for n in own}
            for variable in variables:
                value = f"{variable}_{slot.slot}_neighbour"
                given[value] = np.dtype(float)
                names[f"{variable}_pre"] = value
                if value not in {s.value for s in population.shifts}:
                    population.shifts.append(
                        SimpleNamespace(
                            name=variable,
                            type=population.type_of(variable),
                            row=slot.row,
                            column=slot.column,
                            value=value,
                            pointer=f"{variable}_row_{slot.slot}",
                            later=f"{variable}_{'after' if variable in population.state else 'before'}",
                        )
                    )
            term = algebra.substituted(text, names | {f"{n}_post": n for n in own})
            if not mirrored_ends:
                given[f"mask_{slot.slot}"] = np.dtype(float)
                term = f"mask_{slot.slot}*({term})"
            terms.append(f"({term})")
        total = " + ".join(terms)
        if mirrored_ends:
            total = _summed(text, neighbours, own) or total
        if "N_incoming" in algebra.names(total):  # no common factor: the number itself
            total = algebra.substituted(
                total, {"N_incoming": self._weight(population, "N_incoming", given)}
            )
        if weight is None:
            return [f"{name} = {total}"]
        return [f"{name} = {self._weight(population, weight, given)}*({total})"]

    def _weight(self, population, text: str, given) -> str:
        """Name of the table with a function of the number of neighbours."""
        text = algebra.substituted(text, {w.name: w.text for w in population.weights})
        known = next((w for w in population.weights if w.text == text), None)
        if known is None:
            code = f"neuroglia_weight = {text}"
            group, space = self.network.groups[population.name], self.network.namespace
            block = translate(code, group, space, "double", {"N_incoming": np.dtype(float)})
            known = SimpleNamespace(name=f"weight_{len(population.weights)}", text=text, code=block)
            population.weights.append(known)
        given[known.name] = np.dtype(float)
        return known.name

    # ------------------------------------------------------------------ held couplings

    def couplings(self) -> tuple[list[SimpleNamespace], dict[str, bytes]]:
        """The sums that are held over a step, in their order, and who is connected to whom."""
        result, files = [], {}
        for name, found in itertools.groupby(
            couplings.held(self.model), key=lambda one: one.projection.name
        ):
            projection = self.model.projections[name]
            source = self.populations[projection.source.name]
            target = self.populations[projection.target.name]
            file = f"{name}.sources"
            index = self._index(projection, source, target)
            files[file] = index.tobytes()
            for one in found:
                result.append(self._held(projection, source, target, one.variable, one.text))
                result[-1].file, result[-1].slots = file, len(index)
        return result, files

    def _held(self, projection, source, target, variable, text) -> SimpleNamespace:
        weight, text = _split_weight(text, set(self.model.parameters))
        used = algebra.names(text)
        pre = [a for a in source.arrays if f"{a.name}_pre" in used]
        post = [a for a in target.arrays if f"{a.name}_post" in used]
        kinds = {"int32_t": np.dtype(np.int32), "char": np.dtype(bool)}
        given = {f"{a.name}_pre": kinds.get(a.type, np.dtype(float)) for a in pre}
        given |= {f"{a.name}_post": kinds.get(a.type, np.dtype(float)) for a in post}
        counted = {"N_incoming": np.dtype(float)}
        steps = self.periods(projection.dt)
        group = self.network.groups[target.name]
        space = self.network.namespace
        clock = SimpleNamespace(period=steps, dt=projection.dt, size=target.size)
        return SimpleNamespace(
            space=f"held_{projection.name}__{variable}",
            variable=variable,
            type=target.type_of(variable),
            source=source,
            target=target,
            period=steps,
            clock=clock,
            pre=pre,
            post=post,
            code=translate(
                f"neuroglia_term = {text}", group, space, "double", given | counted, clock.dt
            ),
            weight=translate(
                f"neuroglia_weight = {weight or '1'}", group, space, "double", counted, clock.dt
            ),
        )

    def _index(self, projection, source: _Population, target: _Population) -> np.ndarray:
        """Number of every target's sources from 1, (slot, target), 0 where there is none."""
        sources, targets = pairs(self.model, projection)
        order = np.argsort(targets, kind="stable")
        sources, targets = sources[order], targets[order]
        counts = np.bincount(targets, minlength=target.size)
        slot = np.arange(targets.size) - np.repeat(np.cumsum(counts) - counts, counts)
        slots = max(counts.max(initial=0), 1)
        index = np.zeros((slots, target.size), np.int32)
        index[slot, targets] = sources + 1
        return index

    # ------------------------------------------------------------------ recording

    def records(self) -> list[SimpleNamespace]:
        """State records, with the code of every variable."""
        result = []
        for record in self.model.records.values():
            if record.events:
                continue
            population = self.populations[record.population]
            shape = self.model.populations[record.population].shape
            steps = self.periods(record.every)
            shape = shape if len(shape) == 2 else (1, shape[0])
            stride = 1 if record.reduce else record.stride
            kept = [-(-n // stride) for n in shape]
            result.append(
                SimpleNamespace(
                    name=record.name,
                    population=population,
                    period=steps,
                    clock=SimpleNamespace(
                        period=population.period, dt=population.dt, size=population.size
                    ),
                    stride=stride,
                    shape=shape,
                    columns=kept[1],
                    kept=min(population.size, PARTS) if record.reduce else kept[0] * kept[1],
                    mean=record.reduce == "mean",
                    variables=[
                        SimpleNamespace(
                            code=self.translate(
                                f"neuroglia_value = {v}", population, dt=record.every
                            )
                        )
                        for v in record.variables
                    ],
                )
            )
        return result

    def functions(self) -> list[str]:
        """C++ of the stimuli's gates and of the tables."""
        lines = []
        for s in self.model.stimuli.values():
            times = ", ".join(f"{round(t * 1e9)}LL" for t in (s.start, s.duration, s.period))
            lines.append(
                f"inline double {gate.name_of(s)}(const double t)"
                f" {{ return fn::gate(t, {times}, {s.count}); }}"
            )
        for name, table in self.model.tables.items():
            values = ", ".join(repr(float(v.si)) for v in table.values)
            lines.append(
                f"inline double {name}(const double t, const double parts) {{ static const double values[]"
                f" = {{ {values} }}; return fn::table(t, {table.dt!r}, parts, values); }}"
            )
        return lines


class _Off(ast.NodeTransformer):
    """Calls of some functions as 0."""

    def __init__(self, functions: Collection[str]):
        self._functions = functions

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id in self._functions:
            return ast.copy_location(ast.Constant(0), node)
        self.generic_visit(node)
        return node


def _without(statement: str, functions: Collection[str]) -> str:
    """A statement while these functions of time are 0."""
    return ast.unparse(_Off(functions).visit(ast.parse(statement)))


def _normal(xi: str) -> str:
    return f"normal_{xi}"


def _noise_names(step: stages.Step) -> dict[str, np.dtype]:
    return {_normal(line.split(" = ", 1)[0]): np.dtype(float) for line in step.noise}


def _noise_lines(given: Mapping[str, np.dtype]) -> list[str]:
    return [f"const real {n}_ = normal_row[c];" for n in given if n.startswith("normal_")]


def _split_weight(text: str, parameters: Collection[str]) -> tuple[str | None, str]:
    """A coupling as (factor of the number of connections and parameters alone, the rest)."""
    polynomial, hidden = _polynomial(text)
    whole = symbolic.parsed(polynomial)
    symbols = whole.free_symbols if whole is not None else ()
    count = next((s for s in symbols if s.name == "N_incoming"), None)
    if whole is None or count is None:
        return None, text
    rest, factor = whole.as_independent(count, as_Add=False)
    if {s.name for s in factor.free_symbols} - {"N_incoming", *parameters, *UNITS}:
        return None, text
    return sympy_to_str(factor), algebra.substituted(sympy_to_str(rest), hidden)


def _polynomial(text: str) -> tuple[str, dict[str, str]]:
    """A coupling as a polynomial in what differs between units, and what it hides."""
    sides = [n for n in algebra.names(text) if n.endswith(("_pre", "_post"))]
    found, hidden = algebra.hidden(text, sides)
    return found, {name: f"({value})" for name, value in hidden.items()}


def _summed(text: str, neighbours: Mapping[str, list[str]], own: Collection[str]) -> str | None:
    """A sum over neighbours with as few operations as can be, if the coupling is linear in them."""
    polynomial, hidden = _polynomial(text)
    whole = symbolic.parsed(polynomial)
    if whole is None or any("_pre" in value for value in hidden.values()):
        return None
    symbols = {s.name: s for s in whole.free_symbols}
    pre = {v: symbols[f"{v}_pre"] for v in neighbours if f"{v}_pre" in symbols}
    if not pre or whole.atoms(Boolean):
        return None
    slopes = {v: whole.diff(symbol) for v, symbol in pre.items()}
    if any(slope.free_symbols & set(pre.values()) for slope in slopes.values()):
        return None
    count = len(next(iter(neighbours.values())))
    rest = count * whole.subs({symbol: 0 for symbol in pre.values()})
    parts = [f"({' + '.join(neighbours[v])})*({sympy_to_str(s)})" for v, s in slopes.items()]
    names = {f"{n}_post": n for n in own}
    total = " + ".join([*parts, f"({sympy_to_str(sympy.expand(rest))})"])
    return algebra.substituted(algebra.substituted(total, hidden), names)


@functools.lru_cache(maxsize=2)
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def generate(network: Network, precision: str) -> Kernel:
    """The kernel of a network.

    Parameters
    ----------
    network : built with ``own_loop``
    precision : ``float32`` or ``float64``, of populations on the fastest clock; others are float64
    """
    generator = _Generator(network, precision)
    model = network.model
    couplings, indices = generator.couplings()
    records = generator.records()
    events = [
        SimpleNamespace(name=r.name, population=generator.populations[r.population])
        for r in model.records.values()
        if r.events
    ]
    populations = list(generator.populations.values())
    periods = {p.period for p in populations} | {k.period for k in (*couplings, *records)}
    periods |= {b.period for p in populations for b in p.regularly} - {1}
    periods |= {p.check_every for p in populations}
    fast = {k.period for k in (*couplings, *records)} | {
        b.period for p in populations for b in p.regularly
    }
    content = {
        "base_dt": repr(generator.base),
        "steps": spec.steps(model.duration, generator.base),
        "populations": populations,
        "couplings": couplings,
        "records": records,
        "events": events,
        "sinks": [r.name for r in model.records.values()],
        "functions": generator.functions(),
        "periods": sorted((periods - {1}) | ({1} & fast)),
        "progress": PROGRESS,
        "nonfinite": NONFINITE,
        "reached": REACHED,
        "loop": LOOP,
        "memory": MEMORY,
    }
    header = ["#pragma once", *(f"#include {h}" for h in noise.CPP_HEADERS), noise.CPP]
    text, needed = _text(network, content)
    files: dict[str, str | bytes] = {
        **indices,
        "neuroglia_kernel.cu": text,
        "noise.hpp": "\n".join(header),
        **{n: (FOLDER / n).read_text(encoding="utf-8") for n in ("device.hpp", "runtime.hpp")},
    }
    return Kernel(files, needed)


def _text(network: Network, content: dict) -> tuple[str, Memory]:
    """The kernel and the memory that it takes; numbers that all units share come from a structure, not from Brian2's arrays."""
    variables = {
        brian2.device.get_array_name(v): v
        for group in network.groups.values()
        for v in group.variables.values()
        if isinstance(v, ArrayVariable)
    }
    populations = content["populations"]
    derived = _Derived()
    for p in populations:
        require_tile(p)
        derived.of_steps(p)
        for name in ("threshold", "reset"):
            setattr(p, name, derived.of(getattr(p, name), p))
        for entry in (*p.regularly, *p.weights):
            entry.code = derived.of(entry.code, getattr(entry, "clock", p))
    for k in content["couplings"]:
        k.code, k.weight = derived.of(k.code, k.clock), derived.of(k.weight, k.clock)
    for k in content["records"]:
        for v in k.variables:
            v.code = derived.of(v.code, k.clock)
    content = content | {
        "derived": derived.groups,
        "parameters": [],
        "brian_arrays": [],
        "tile_memory": SHARED,
        "event_pairs": EVENTS,
        # the fastest lattice; with it alone, many steps are one launch
        "together": next((p for p in populations if p.period == 1 and p.correct), None),
    }
    template = _template("kernel.cu.jinja")
    parameters = sorted(set(_SHARED.findall(template.render(content))))
    names = [*parameters, *(a.brian for p in populations for a in p.arrays)]
    content["parameters"] = parameters
    content["brian_arrays"] = [
        SimpleNamespace(name=n, type=c_data_type(variables[n].dtype)) for n in names
    ]
    shared = len(parameters) + sum(len(group.fields) for group in derived.groups)
    needed = memory(populations, content["couplings"], content["records"], shared)
    return _SHARED.sub(r"given.\1", template.render(content)), needed


class _Derived:
    """Numbers that follow from parameters alone: worked out once, before the run."""

    def __init__(self) -> None:
        self.groups: list[SimpleNamespace] = []

    def of_steps(self, population: _Population) -> None:
        """Of all that a population does in every step."""
        population.update = self.of(population.update, population)
        for v in population.variants:
            v.predict, v.correct = self.of(v.predict, population), self.of(v.correct, population)
        if population.variants:
            population.predict = population.variants[0].predict
            population.correct = population.variants[0].correct

    def of(self, block: Block | None, clock) -> Block | None:
        """The block, with such numbers read from the structure."""
        if block is None:
            return None
        lines = [match.groups() for match in map(_LINE.fullmatch, block.prelude) if match]
        assert len(lines) == len(block.prelude)
        fixed, moving = [], []
        changing = {"neuroglia_t", "neuroglia_t_in_timesteps"}
        for kind, name, text in lines:
            if get_identifiers(text) & changing:
                changing.add(name)
                moving.append((kind, name, text))
            else:
                fixed.append((kind, name, text))
        later = set().union(
            *(get_identifiers(text) for *_, text in moving), *map(get_identifiers, block.body)
        )
        fields = [
            SimpleNamespace(type=kind, name=name, field=f"of_{len(self.groups)}_{name}")
            for kind, name, _ in fixed
            if name in later or name.startswith(RESULT)
        ]
        self.groups.append(
            SimpleNamespace(fields=fields, lines=[_written(line) for line in fixed], clock=clock)
        )
        read = [f"const {f.type} {f.name} = given.{f.field};" for f in fields]
        return replace(block, prelude=(*read, *map(_written, moving)))


def _written(line: tuple[str, str, str]) -> str:
    return "const {} {} = {};".format(*line)
