"""Expressions of a lattice's units as C++: sums with shared factors, neighbours, noise.

``A`` is the row of an array (``A3_m1`` the row before it, in a ring of rows), ``C`` one of values that a later stage
reads, ``k`` a unit's constant coefficient, ``z`` a row of normal numbers, ``U`` the numbers of units; ``x`` is a local
value, and ``h`` a number that all units share, which is worked out once a step in double precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from brian2.groups.group import Group

from neuroglia_snn import lanes
from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.expressions import CPP, Printer, literal, type_of
from neuroglia_snn.program.fuse import Fused
from neuroglia_snn.program.linear import ONE, Factor, Linear, Term, shared
from neuroglia_snn.program.tree import (
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Literal,
    Local,
    Look,
    walk,
)

#: Names of a ring's rows before and after the present one.
SIDES = {-1: "_m1", 0: "", 1: "_p1"}


class Sums:
    """Text of a fused step's expressions, and all that they turn out to need.

    Attributes
    ----------
    numbers : C++ type and text of each number that units share
    coefficients : products with constants of units, each a row
    noises : normal numbers, each a row
    timely : those of them that change from step to step, while nothing but this step is due
    gates : numbers that are zero for most of the time (stimuli)
    scalars : elements of arrays that units share
    """

    def __init__(self, step: Fused, real: str, ringed: Set[Array]) -> None:
        self._step, self.real, self._ringed = step, real, ringed
        self.numbers: dict[str, tuple[str, str]] = {}
        self.coefficients: dict[tuple[Factor, float], str] = {}
        self.noises: dict[Expression, str] = {}
        self.timely: set[str] = set()
        self.gates: dict[str, None] = {}
        self.scalars: dict[Cell, str] = {}
        self._names: dict[object, str] = {}

    def _named(self, key: object, kind: str, text: str, timely: bool) -> str:
        if key not in self._names:
            name = self._names[key] = f"h{len(self._names)}"
            self.numbers[name] = (kind, text)
            self.timely |= {name} if timely else set()
        return self._names[key]

    def is_timely(self, e: Expression) -> bool:
        """Whether what units share may change from step to step, while nothing but this step is due."""
        return any(
            isinstance(part, Call)
            or (isinstance(part, Cell) and _is_of_a_clock(part.array.variable))
            for part in self._deep(e)
        )

    def once(self, e: Expression) -> str:
        """An expression of what units share, in double precision."""
        for part in walk(e):
            if isinstance(part, Cell):
                self.scalars[part] = f"a{part.array.number}[0]"
        return Printer(self.scalars, "0", foreign.symbol).text(e)

    def _hoisted(self, e: Expression) -> str:
        kind = self.real if e.dtype.kind == "f" else type_of(e.dtype)
        return self._named(e, kind, self.once(e), self.is_timely(e))

    def product(self, factor: Factor, multiple: float) -> str:
        """The shared part of a factor, as text in double precision."""
        text = repr(multiple)
        for e, divides in factor.shared:
            text = f"{text} {'/' if divides else '*'} (double)({self.once(e)})"
        return f"({text})"

    def _factor(self, factor: Factor, multiple: float) -> str:
        """The name of a factor: a number that units share, or a row of their constants."""
        if factor.own:
            key = (factor, multiple)
            name = self.coefficients.setdefault(key, f"K{len(self.coefficients)}")
            return name.lower()
        timely = any(self.is_timely(e) for e, _ in factor.shared)
        name = self._named((factor, multiple), self.real, self.product(factor, multiple), timely)
        if any(isinstance(p, (Call, Look)) for e in factor.shared for p in self._deep(e[0])):
            self.gates[name] = None
        return name

    def _deep(self, e: Expression) -> Iterable[Expression]:
        """The parts of an expression, and of the values that are worked out before it."""
        for part in walk(e):
            yield part
            if isinstance(part, Local):
                for s in self._step.before:
                    if s.target == part:
                        yield from self._deep(s.value)

    def text(self, e: Term) -> str:
        """An expression for the unit in column ``c``."""
        if isinstance(e, Linear):
            return self._sum(e)
        if isinstance(e, Literal):
            return f"({self.real}){literal(e.value)}" if e.dtype.kind == "f" else literal(e.value)
        if shared(e):
            return self._hoisted(e)
        if isinstance(e, Local):
            return f"C{e.number}[c]" if e in self._step.carried else f"x{e.number}"
        if isinstance(e, Cell):
            return self._place(e)
        if isinstance(e, Draw) and e.kind == "rand":
            return self._uniform(e)
        if is_normal(e):
            return f"{self.noises.setdefault(e, f'z{len(self.noises)}')}[c]"  # type: ignore[arg-type]
        assert isinstance(e, Apply)
        return self._applied(e)

    def _uniform(self, e: Draw) -> str:
        """A uniform number of the unit in column ``c``, which is counted as Brian2 counts units."""
        words = self._named(e, "Words", self._words(e), True)
        return f"(({self.real})uniform_of(words({words}, U[c])))"

    def words_of_step(self, e: Expression) -> str:
        """What the random bits of a step have in common."""
        if isinstance(e, Draw):
            return self._words(e)
        assert isinstance(e, Apply)
        seed, stream, _, count = (self.once(a) if shared(a) else "" for a in e.arguments)
        keys = f"(uint32_t)(int64_t){seed}, (uint32_t)(int64_t){stream}"
        return f"neuroglia_of_step({keys}, {count})"

    def _words(self, e: Draw) -> str:
        clock = f"run.clocks[{self._step.clock}]"
        return f"words_of(run.keys + 2*{e.number}, *{clock}.timestep + {clock}.shift)"

    def _applied(self, e: Apply) -> str:
        # bounds in variables: with those, g++ finds the processor's minimum and maximum
        hoisted = e.operation == "clip" and e.dtype.kind == "f"
        arguments = [
            self._hoisted(a) if hoisted and isinstance(a, Literal) else self.text(a)
            for a in e.arguments
        ]
        if e.operation == "select":
            kind = self.real if e.dtype.kind == "f" else type_of(e.dtype)
            return f"chosen<{kind}>({', '.join(arguments)})"
        form, real = CPP[e.operation], e.dtype.kind == "f"
        if e.operation == "**" and isinstance(e.arguments[1], Literal) and real:
            exponent = float(e.arguments[1].value)
            if exponent == exponent // 1:
                form = f"whole_power<{int(exponent)}>((T){{0}})"
        text = form.replace("(T)", f"({self.real if real else type_of(e.dtype)})")
        text = text.format(*arguments)
        return f"(({self.real}){text})" if real else text

    def _place(self, e: Cell) -> str:
        row, column = (0, 0) if e.index is None else self._step.offsets[e.index.array]  # type: ignore[union-attr]
        shift, side = column * lanes.LANES, SIDES[row]
        if e.array not in self._ringed:  # at a fixed distance, which takes no register
            shift, side = shift + row * self.stride, ""
        return f"A{e.array.number}{side}[c{f' + {shift}' if shift else ''}]"

    @property
    def stride(self) -> int:
        """Numbers from one row to the next, with a vector more on either side."""
        return (self._step.order.width + 2) * lanes.LANES

    def _sum(self, e: Linear) -> str:
        """The sum: what is multiplied by 1 first, then the increment, which is summed by itself."""
        base: list[tuple[Term, float]] = []
        number, increment = 0.0, ""
        for factor, terms in e.groups:
            constants = [m for t, m in terms if t == ONE]
            rest = [(t, m) for t, m in terms if t != ONE and m]
            if factor == Factor():
                number, base = sum(constants), rest
                continue
            if constants and sum(constants):
                text = self._factor(factor, sum(constants))
                increment = f"({text} + {increment})" if increment else text
            if rest:
                scale = rest[0][1]
                group = self._group([(t, m / scale) for t, m in rest])
                name = self._factor(factor, scale)
                increment = self._plus_product(name, group, increment)
        if base and increment and not number:  # half of a sum is exact: that loses no bit
            scale = abs(base[0][1])
            inner = self._group([(t, m / scale) for t, m in base])
            if scale == 1:
                return f"({inner} + {increment})"
            return f"multiplied_added<{self.real}>(({self.real}){scale!r}, {inner}, {increment})"
        parts = [self._group(base)] if base else []
        parts += [f"({self.real}){literal(number)}"] if number or not (base or increment) else []
        parts += [increment] if increment else []
        text = parts[0]
        for part in parts[1:]:
            text = f"({text} + {part})"
        return text

    def _plus_product(self, name: str, group: str, increment: str) -> str:
        text = f"multiplied_added<{self.real}>({name}, {group}, {increment})"
        if not increment:
            text = f"({name}*{group})"
        if name in self.gates:
            return f"(all ? {text} : {increment or f'({self.real})0.0'})"
        return text

    def _group(self, terms: list[tuple[Term, float]]) -> str:
        """Multiples of terms: equal values in pairs, so that four of them make exactly four times one."""
        scale = abs(terms[0][1])
        if scale != 1:
            inner = self._group([(t, m / scale) for t, m in terms])
            return f"(({self.real}){scale!r}*{inner})"
        plus = [self.text(t) for t, m in terms if m == 1]
        while len(plus) > 1:
            pairs = [f"({a} + {b})" for a, b in zip(plus[::2], plus[1::2], strict=False)]
            plus = pairs + plus[2 * len(pairs) :]
        text = plus[0] if plus else ""
        for t, m in terms:
            if m == -1:
                text = f"({text} - {self.text(t)})" if text else f"(-{self.text(t)})"
            elif m != 1:
                number = f"({self.real}){literal(m)}"
                text = (
                    f"multiplied_added<{self.real}>({number}, {self.text(t)}, {text})"
                    if text
                    else f"({number}*{self.text(t)})"
                )
        return text


def _is_of_a_clock(variable: Any) -> bool:
    """Whether a clock may change a value as it goes on."""
    return not isinstance(variable.owner, Group) and variable.name != "dt"


def is_normal(e: Term) -> bool:
    """Whether an expression is one normal number."""
    by_place = isinstance(e, Apply) and e.operation == "gaussian"
    return by_place or (isinstance(e, Draw) and e.kind == "randn")


def is_drawn(e: Expression) -> bool:
    """Whether a value is made of random numbers and of what units share alone."""
    if isinstance(e, Draw) or (isinstance(e, Apply) and e.operation == "gaussian"):
        return True
    if shared(e):
        return False
    return isinstance(e, Apply) and all(shared(a) or is_drawn(a) for a in e.arguments)
