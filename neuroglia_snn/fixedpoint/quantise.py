"""A program in floating point as one in integers, as the neuron programs of Loihi 2 compute.

States are 24-bit integers, coefficients 16-bit mantissas with an exponent, functions look-up tables
with linear interpolation, sums exact until they are rounded once; every result saturates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.fixedpoint import ranges
from neuroglia_snn.fixedpoint.formats import MANTISSA_BITS, STATE_BITS, SUM_BITS, Format, fitting
from neuroglia_snn.fixedpoint.integers import NORMAL_SCALE
from neuroglia_snn.fixedpoint.ranges import Range, Ranges
from neuroglia_snn.lowering.arithmetic import added
from neuroglia_snn.lowering.execute import evaluate_function
from neuroglia_snn.lowering.operations import (
    Block,
    Clip,
    Coupling,
    Function,
    Linear,
    Operation,
    Population,
    Product,
    Program,
    Rounding,
    Select,
    Stencil,
    Sum,
    Test,
)

#: Intervals of a look-up table.
TABLE_INTERVALS = 256
#: Finest exponent of a coefficient.
MAX_SHIFT = 30
#: Relative distance from a power of two within which a coefficient is the power and a mantissa.
NEAR = 1 / 4
#: Bits below the finest step of its terms to which a comparison is exact.
COMPARED_BITS = 6

#: Change in a time step, in counts of the format, below which rounding takes a tenth of it and more.
LEAST_CHANGE = 5.0

Formats = dict[str, Format]


@dataclass(frozen=True)
class FixedProgram:
    """A program in integers.

    Attributes
    ----------
    program : its operations, initial values and stimuli are integers
    formats : of every variable, by population
    values : of every value in a block, by population and block
    ranges : of every variable, by population, in SI units
    standing : a sentence for every variable whose steps are lost, or nearly so, in rounding
    """

    program: Program
    formats: Mapping[str, Formats]
    values: Mapping[tuple[str, str], Formats]
    ranges: Mapping[str, Ranges]
    standing: tuple[str, ...]


def quantise(
    program: Program,
    state: Mapping[str, Mapping[str, Range]],
    bits: Mapping[str, Mapping[str, int]] | None = None,
    stochastic: Mapping[str, frozenset[str]] | None = None,
    inputs: Mapping[str, Formats] | None = None,
) -> FixedProgram:
    """Turn a program into integers.

    Parameters
    ----------
    program : in floating point
    state : range of each variable that a population holds, by population, in SI units
    bits : of variables that shall have others than 24, by population
    stochastic : variables whose steps are rounded at random, by population
    inputs : formats of what arrives from outside the program, by population

    Raises
    ------
    RangeError
        Where a range leads to a value that is not finite, or the run is too long.
    """
    if program.steps > 2 ** (STATE_BITS - 1) - 2:
        raise ranges.RangeError(
            f"fixed point counts time in {STATE_BITS} bits: at most {2 ** (STATE_BITS - 1) - 2} steps,"
            f" not {program.steps}; shorten the run or raise dt"
        )
    arriving = {name: dict((inputs or {}).get(name, {})) for name in program.populations}
    from_outside = {n: {v: f.range for v, f in own.items()} for n, own in arriving.items()}
    known = ranges.of_inputs(program, {n: {**own, **from_outside[n]} for n, own in state.items()})
    formats = {
        name: _variables(program, population, known[name], (bits or {}).get(name, {}))
        | arriving[name]
        for name, population in program.populations.items()
    }
    values: dict[tuple[str, str], Formats] = {}
    couplings: dict[str, Coupling] = {}
    for name, coupling in _in_order(program, formats):
        given = _given(coupling, known[coupling.source])
        block = _Block(coupling.give, known[coupling.source], formats[coupling.source], given)
        couplings[name] = replace(coupling, give=block.made(), denominator=1)
        values[coupling.source, ranges.give_block(coupling)] = block.formats
        term = block.formats[coupling.term]
        summed = Format(SUM_BITS, term.fraction, term.unit / coupling.denominator)
        formats[coupling.target].setdefault(coupling.variable, summed)
    couplings = {name: couplings[name] for name in program.couplings}
    populations = {}
    standing: list[str] = []
    for name, population in program.populations.items():
        random = (stochastic or {}).get(name, frozenset())
        standing += _standing(population, known[name], formats[name], random)
        blocks, found = _blocks(population, known[name], formats[name], random)
        values |= {(name, label): made for label, made in found.items()}
        populations[name] = replace(
            population,
            predict=blocks["predict"],
            correct=blocks["correct"],
            fire=blocks["fire"],
            initial={n: formats[name][n].encode(v) for n, v in population.initial.items()},
            stimulated=tuple(
                replace(s, values=tuple(formats[name][s.variable].encode(v) for v in s.values))
                for s in population.stimulated
            ),
        )
    fixed = replace(program, populations=populations, couplings=couplings)
    return FixedProgram(fixed, formats, values, known, tuple(standing))


def _given(coupling: Coupling, known: Ranges) -> Formats:
    """The format of a coupling's terms where their bits are prescribed."""
    if coupling.bits is None:
        return {}
    low, high = ranges.of_block(coupling.give, known)[coupling.term]
    return {coupling.term: fitting(low, high, coupling.bits)}


def _variables(
    program: Program, population: Population, known: Ranges, bits: Mapping[str, int]
) -> Formats:
    formats: Formats = {}
    for name in population.times:
        formats[name] = Format(STATE_BITS, 0, program.dt)
    for name, (low, high) in known.items():
        if name not in formats and name not in population.inputs:
            formats[name] = fitting(low, high, bits.get(name, STATE_BITS))
    for stimulated in population.stimulated:
        formats[f"{stimulated.variable}_later_"] = formats[stimulated.variable]
    if population.noise:
        formats[population.noise] = Format(12, 0, NORMAL_SCALE)
    return formats


def _in_order(program: Program, formats: Mapping[str, Formats]):
    """Couplings, each after those whose sums it reads."""
    waiting = dict(program.couplings)
    while waiting:
        for name, coupling in list(waiting.items()):
            if coupling.give.reads() <= set(formats[coupling.source]):
                yield name, waiting.pop(name)


def _blocks(
    population: Population, known: Ranges, formats: Formats, stochastic: frozenset[str]
) -> tuple[dict[str, Block], dict[str, Formats]]:
    """The blocks of a step in integers; what one block makes, the next may read."""
    made: dict[str, Block] = {}
    found: dict[str, Formats] = {}
    available, seen = dict(formats), dict(known)
    for label, block in population.blocks().items():
        same = {value: variable for variable, value in block.assign.items()}
        for x in population.state:
            same |= {f"{x}_predicted": x, f"{x}_new_": x}
        fixed = {v: available[x] for v, x in same.items()}
        random = frozenset(v for v, x in same.items() if x in stochastic)
        quantised = _Block(block, seen, available, fixed, random)
        made[label] = quantised.made()
        found[label] = quantised.formats
        for x in population.state:
            if f"{x}_predicted" in quantised.formats:
                available[f"{x}_predicted"] = formats[x]
                seen[f"{x}_predicted"] = known[x]
    return made, found


def _standing(
    population: Population, known: Ranges, formats: Formats, stochastic: frozenset[str]
) -> list[str]:
    """Variables whose largest change in a step is a few counts: rounded to nearest, less is nothing."""
    seen = ranges.of_block(population.predict, known)
    said = []
    for operation in population.predict.operations:
        x = operation.out.removesuffix("_predicted")
        if not (isinstance(operation, Linear) and x in population.state) or x in stochastic:
            continue
        change = added(operation.sum, Sum(((x, -1.0),)))
        counts = max(map(abs, ranges.of_sum(change, seen))) / formats[x].scale
        if 0 < counts < LEAST_CHANGE:
            said.append(
                f"fixed point: '{x}' of population '{population.name}' changes by at most"
                f" {counts:.2g} counts of {formats[x].scale:.3g} (SI units) in a time step, and less"
                " than half a count is nothing; give it a narrower range, a longer dt or"
                ' "stochastic" rounding'
            )
    return said


class _Block:
    """One block in integers."""

    def __init__(
        self,
        block: Block,
        known: Ranges,
        outside: Formats,
        fixed: Formats,
        random: frozenset[str] = frozenset(),
    ):
        self._block, self._fixed, self._random = block, fixed, random
        self._known = dict(known)
        self._outside = outside
        self.formats: Formats = {}
        self._operations: list[Operation] = []
        saturating = {name: made.range for name, made in fixed.items()}
        reach = {n: _united(r, outside[n].range) for n, r in known.items() if n in outside}
        everything = ranges.of_block(block, known) | reach
        matter = ranges.that_matter(block, everything, saturating)
        limits = {o.out: matter[o.out] for o in block.operations if _is_cut(o) and o.out in matter}
        for operation in block.operations:
            self._known = ranges.of_block(Block((operation,)), self._known)
            limit = (limits | saturating).get(operation.out)
            if limit:
                self._known[operation.out] = _within(self._known[operation.out], limit)
            self._add(operation)

    def made(self) -> Block:
        """The block."""
        return Block(tuple(self._operations), self._block.assign)

    def _of(self, name: str) -> Format:
        return self.formats.get(name) or self._outside[name]

    def _fitting(self, out: str) -> Format:
        return self._fixed.get(out) or fitting(*self._known[out])

    def _add(self, operation: Operation) -> None:
        made: Operation
        match operation:
            case Linear(out=out, sum=total):
                made = self._linear(out, total)
            case Product():
                made = self._product(operation)
            case Function(out=out):
                made = self._function(operation)
            case Clip(out=out, x=x, low=low, high=high):
                self.formats[out] = self._of(x)
                ends = (int(self._of(x).encode(low)), int(self._of(x).encode(high)))
                made = Clip(out, x, *ends)
            case Test(out=out, relation=relation, left=left, right=right):
                self.formats[out] = Format(2, 0)
                made = Test(out, relation, *self._compared(left, right))
            case Select(out=out, condition=condition, then=then, otherwise=otherwise):
                self.formats[out] = self._fixed.get(out) or self._of(otherwise)
                made = Select(
                    out, condition, *(self._as(n, self.formats[out]) for n in (then, otherwise))
                )
            case Stencil(out=out, x=x, denominator=denominator):
                inner = self._of(x)
                unit = inner.unit / denominator
                self.formats[out] = Format(SUM_BITS, inner.fraction, unit)
                made = replace(operation, denominator=1)
        self._operations.append(made)

    def _as(self, name: str, wanted: Format) -> str:
        """A value in another format."""
        if self._of(name).scale == wanted.scale:
            return name
        out = f"{name}_as_{len(self._operations)}_"
        self.formats[out] = wanted
        self._operations.append(self._rounded(out, Sum(((name, 1.0),)), wanted))
        return out

    def _linear(self, out: str, total: Sum) -> Linear:
        kept = self._whole(out, total)
        if kept:
            self.formats[out] = kept
            terms = tuple((name, round(factor)) for name, factor in total.terms)
            return Linear(out, Sum(terms, 0), Rounding(0, kept.bits))
        if out not in self._fixed and len(total.terms) == 1 and total.constant == 0:
            name, factor = total.terms[0]  # another unit, the same integer
            old = self._of(name)
            self.formats[out] = Format(old.bits, old.fraction, old.unit * abs(factor))
            whole = Sum(((name, int(math.copysign(1, factor))),), 0)
            return Linear(out, whole, Rounding(0, old.bits))
        self.formats[out] = self._fitting(out)
        return self._rounded(out, total, self.formats[out])

    def _whole(self, out: str, total: Sum) -> Format | None:
        """The format of a sum that needs no rounding: differences of times stay exact."""
        formats = [self._of(name) for name, _ in total.terms]
        whole = total.constant == 0 and all(float(k).is_integer() for _, k in total.terms)
        same = len(formats) > 1 and len({f.scale for f in formats}) == 1
        if out in self._fixed or not (whole and same):
            return None
        made = Format(STATE_BITS, formats[0].fraction, formats[0].unit)
        low, high = self._known[out]
        return made if made.range[0] <= low and high <= made.range[1] else None

    def _rounded(self, out: str, total: Sum, made: Format) -> Linear:
        """A sum with whole coefficients, and the shift that rounds it into a format."""
        factors = [(n, c * self._of(n).scale / made.scale) for n, c in total.terms]
        coefficients = [(n, *_coefficient(k)) for n, k in factors]
        shift = max((e for _, _, e in coefficients), default=0)
        constant = total.constant / made.scale
        size = abs(constant) + sum(abs(k) * self._largest(n) for n, k in factors)
        shift = max(0, min(shift, 61 - math.ceil(math.log2(max(size, 1.0)))))
        terms = tuple((n, _shifted(m, shift - e)) for n, m, e in coefficients)
        whole = Sum(terms, round(constant * 2**shift))
        return Linear(out, whole, Rounding(shift, made.bits, out in self._random))

    def _largest(self, name: str) -> float:
        """Largest integer that a value can be."""
        return max(abs(end) for end in self._known[name]) / self._of(name).scale + 1

    def _product(self, operation: Product) -> Product:
        a, b = self._of(operation.a), self._of(operation.b)
        if a.bits == b.bits == 2 and operation.out not in self._fixed:  # both are 0 or 1
            self.formats[operation.out] = Format(2, 0, a.unit * b.unit)
            return replace(operation, rounding=Rounding(0, 2))
        made = self._fitting(operation.out)
        unit = a.unit * b.unit  # the result keeps it: the shift is then whole
        if operation.out not in self._fixed:
            made = fitting(*self._known[operation.out], unit=unit)
        self.formats[operation.out] = made
        return replace(
            operation, rounding=Rounding(a.fraction + b.fraction - made.fraction, made.bits)
        )

    def _function(self, operation: Function) -> Function:
        x, (low, high) = self._of(operation.x), self._known[operation.x]
        out = self.formats[operation.out] = self._fitting(operation.out)
        first, last = int(x.encode(low)), int(x.encode(high))
        step = max(0, math.ceil(math.log2(max(last - first, 1) / TABLE_INTERVALS)))
        count = (last - first) // 2**step + 2
        places = np.minimum((first + np.arange(count) * 2**step) * x.scale, high)
        entries = out.encode(evaluate_function(operation.text, places))
        return replace(operation, origin=first, step=step, entries=tuple(int(e) for e in entries))

    def _compared(self, left: Sum, right: Sum) -> tuple[Sum, Sum]:
        """Both sides over a common unit, so fine that equal times stay equal."""
        scales = [abs(c) * self._of(n).scale for n, c in (*left.terms, *right.terms)]
        unit = min(scales) * 2.0**-COMPARED_BITS

        def whole(total: Sum) -> Sum:
            terms = tuple((n, round(c * self._of(n).scale / unit)) for n, c in total.terms)
            return Sum(terms, round(total.constant / unit))

        return whole(left), whole(right)


def _is_cut(operation: Operation) -> bool:
    """Whether a result can be cut to what matters of it: the entries of a table can."""
    return isinstance(operation, Function)


def _within(found: Range, limit: Range) -> Range:
    """The part of an interval within a limit; the end of the limit that is nearest where there is none."""
    low, high = (min(max(end, limit[0]), limit[1]) for end in found)
    return low, high


def _united(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])


def _coefficient(factor: float) -> tuple[int, int]:
    """``factor`` as ``integer * 2**-exponent``.

    A factor near a power of two, as that of a variable's own value is, is the power and a mantissa for
    the rest: ``x + dt*(...)`` keeps the precision of what is added.
    """
    if factor == 0:
        return 0, 0
    power = math.copysign(2.0 ** round(math.log2(abs(factor))), factor)
    rest = factor - power
    if abs(rest) > NEAR * abs(power):
        return _mantissa(factor)
    mantissa, exponent = _mantissa(rest)
    exponent = max(exponent, -round(math.log2(abs(power))), 0)
    mantissa = round(mantissa * 2.0 ** (exponent - _mantissa(rest)[1]))
    return int(power * 2.0**exponent) + mantissa, exponent


def _mantissa(factor: float) -> tuple[int, int]:
    """``factor`` as a mantissa of so many bits and an exponent."""
    if factor == 0:
        return 0, 0
    exponent = min(MANTISSA_BITS - 2 - math.floor(math.log2(abs(factor))), MAX_SHIFT)
    mantissa = round(factor * 2.0**exponent)
    while mantissa and mantissa % 2 == 0 and exponent > 0:  # 0.5 is 1 * 2**-1
        mantissa, exponent = mantissa // 2, exponent - 1
    return mantissa, exponent


def _shifted(mantissa: int, by: int) -> int:
    return mantissa << by if by >= 0 else round(mantissa / 2**-by)
