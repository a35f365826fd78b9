"""Expressions as sums of values: what is constant is folded, what is no sum becomes an operation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuroglia_snn.fixedpoint.facts import Facts
from neuroglia_snn.fixedpoint.operations import (
    Absolute,
    Clip,
    Exact,
    Function,
    Given,
    Linear,
    Logic,
    Look,
    Operation,
    Product,
    Quotient,
    Random,
    Select,
    Store,
    Sum,
    Test,
    Value,
    Whole,
)
from neuroglia_snn.program import tree
from neuroglia_snn.program.refusal import Refused
from neuroglia_snn.program.text import shown
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT64,
    INT64,
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Literal,
    Local,
    Parameter,
    rewritten,
    walk,
)

#: Whole powers up to this one are products; higher ones are functions.
MAX_PRODUCTS = 4
#: The variable of a `Function`'s body.
ARGUMENT = Local(-1, FLOAT64, False)
#: What a time may exceed a whole number of steps by; as in Brian2's ``timestep``.
EARLY = 1e-3

_RELATIONS = frozenset(["<", "<=", ">", ">=", "==", "!="])
_FUNCTIONS = frozenset(
    [
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
        *("exp", "expm1", "exprel", "log", "log10", "log1p", "sqrt"),
    ]
)


class Expressions:
    """Works out expressions of one kernel; the operations that this takes are added to ``items``.

    Attributes
    ----------
    items : operations and stores so far
    numbers : locals that are numbers, by their own number
    locals : other locals: sums, or the values that hold conditions
    cells : what was stored last in a cell
    """

    def __init__(self, free: int, facts: Facts, owner: str) -> None:
        self.items: list[Operation | Store] = []
        self.numbers: dict[int, Any] = {}
        self.locals: dict[int, Sum | Value] = {}
        self.cells: dict[Cell, Value] = {}
        self.facts = facts
        self._owner, self.free = owner, free
        self._known: dict[object, Value] = {}
        self._reciprocals: dict[Value, Value] = {}

    def forget(self, array: Array) -> None:
        """Take note that an array has changed: what was made of its old values is no longer known."""
        for cell in [c for c in self.cells if c.array is array]:
            del self.cells[cell]

        def stale(value: object) -> bool:
            return isinstance(value, Cell) and value.array is array

        self._known = {k: v for k, v in self._known.items() if not any(map(stale, _values_of(k)))}
        self._reciprocals = {
            k: v for k, v in self._reciprocals.items() if not (stale(k) or stale(v))
        }

    def linear_in_time(self, e: Expression) -> Sum | None:
        """A sum of times of clocks and numbers, which stays exact; None of anything else."""
        for part in walk(e):
            clock = isinstance(part, Cell) and part.array in self.facts.clock
            number = self.facts.number(part, self.numbers) is not None
            inner = isinstance(part, Local) and part.number in self.locals
            plain = isinstance(part, Apply) and part.operation in ("+", "-", "neg")
            if not (clock or number or inner or plain):
                return None
        return self._apply(e) if isinstance(e, Apply) else self.sum(e)

    def new(self, dtype: np.dtype = INT64, scalar: bool = False) -> Local:
        """A local of its own."""
        self.free += 1
        return Local(self.free - 1, dtype, scalar)

    def _do(self, key: tuple, make: Any, dtype: np.dtype = INT64) -> Value:
        """The result of an operation, which is done once; ``make`` makes it for the name of its result."""
        if key not in self._known:
            out = self.new(dtype)
            self.items.append(make(out))
            self._known[key] = out
        return self._known[key]

    def value(self, total: Sum, new: bool = False) -> Value:
        """A value that holds a sum; one of its own where it is ``new``."""
        if not new and len(total.terms) == 1 and total.constant == 0:
            value, factor = total.terms[0]
            if factor == 1:
                return value
        if new:
            out = self.new()
            self.items.append(Linear(out, total))
            return out
        return self._do((Linear, total), lambda out: Linear(out, total))

    def _scaled_value(self, total: Sum) -> tuple[Value, float]:
        """A value and a factor: a sum of one term needs no operation, others have a term of factor 1."""
        if len(total.terms) == 1 and total.constant == 0:
            return total.terms[0]
        times = [f for v, f in total.terms if isinstance(v, Cell) and v.array in self.facts.clock]
        factor = times[0] if times else total.terms[0][1]  # a time that has passed is not negative
        return self.value(total.scaled(1 / factor)), factor

    def sum(self, e: Expression) -> Sum:
        """An expression as a sum of values."""
        number = self.facts.number(e, self.numbers)
        if number is not None:
            if not math.isfinite(number):
                raise self._refused(e, f"is {number:g}")
            return Sum((), float(number))
        own = self.facts.unit_constant(e, self.numbers)
        if own is not None:
            return Sum(((own, 1.0),))
        if isinstance(e, Local) and e.number in self.locals:
            found = self.locals[e.number]
            return found if isinstance(found, Sum) else Sum(((found, 1.0),))
        if isinstance(e, Cell) and e in self.cells:
            return Sum(((self.cells[e], 1.0),))
        if isinstance(e, Cell) and e.array in self.facts.clock:
            return Sum(((e, 1.0),))
        if self.facts.shared(e):
            return self._shared_value(e)
        if isinstance(e, Cell):
            return Sum(((e, 1.0),))
        if isinstance(e, Draw):
            return self._draw(e)
        if isinstance(e, tree.Look):
            self._only_constants(e)
            value = self._do((Look, e), lambda out: Look(out, e))
            return Sum(((value, 1.0),))
        if isinstance(e, Call):
            return self._call(e)
        assert isinstance(e, Apply), e
        return self._apply(e)

    def _shared_value(self, e: Expression) -> Sum:
        """What all units share, and is no time: worked out in floating point, once a step."""
        if isinstance(e, Apply) and e.operation in ("+", "-", "neg"):
            linear = self.linear_in_time(e)
            if linear is not None:
                return linear
        if ("given", e) not in self._known:
            out = self.new(scalar=True)
            self.items.append(Given(out, e))
            self._known["given", e] = out
        return Sum(((self._known["given", e], 1.0),))

    def _apply(self, e: Apply) -> Sum:
        match e.operation, e.arguments:
            case "+", (a, b):
                return self._quotients(a, b) or self.sum(a).plus(self.sum(b))
            case "-", (a, b):
                return self.sum(a).plus(self.sum(b).scaled(-1))
            case "neg", (a,):
                return self.sum(a).scaled(-1)
            case "*", (a, b):
                return self._product(self.sum(a), self.sum(b))
            case "/", (a, b):
                return self._division(e, a, b)
            case "**", (a, b):
                return self._power(e, a, b)
            case "int", (a,) if a.dtype == BOOL:
                held = self.condition(a)
                return Sum((), float(held)) if isinstance(held, bool) else Sum(((held, 1.0),))
            case "int", (a,) if a.dtype.kind in "iu":
                return self.sum(a)
            case "int" | "floor" | "ceil", (a,):
                return self._whole(e.operation, self.sum(a))
            case "timestep", (a, b):
                return self._timestep(e, a, b)
            case "abs", (a,):
                return self._absolute(self.sum(a))
            case "sign", (a,):
                return self._sign(self.sum(a))
            case "clip", (a, low, high):
                return self._clip(e, a, low, high)
            case "select", (condition, a, b):
                return self._select(self.condition(condition), self.sum(a), self.sum(b))
            case "gaussian", (seed, stream, _, _):
                key = tuple(int(self.facts.number(a, self.numbers)) for a in (seed, stream))  # type: ignore[arg-type]
                value = self._do((Random, key), lambda out: Random(out, "randn", key, e))
                return Sum(((value, 1.0),))
            case (("%" | "//"), (a, b)) if a.dtype.kind == b.dtype.kind == "i":
                self._only_constants(e)
                value = self._do((Exact, e), lambda out: Exact(out, e))
                return Sum(((value, 1.0),))
        if e.operation in _RELATIONS or e.operation in ("and", "or", "not"):
            held = self.condition(e)
            return Sum((), float(held)) if isinstance(held, bool) else Sum(((held, 1.0),))
        return self._called(e)

    def _quotients(self, a: Expression, b: Expression) -> Sum | None:
        """``x/z + y/z`` as ``(x + y)/z`` where z differs between units: one product, not two."""

        def under(e: Expression) -> Expression | None:
            if isinstance(e, Apply) and e.operation == "/":
                return e.arguments[1]
            if isinstance(e, Apply) and e.operation == "+" and under(e.arguments[0]) is not None:
                z = under(e.arguments[0])
                return z if under(e.arguments[1]) == z else None
            return None

        def over(e: Apply) -> Expression:
            if e.operation == "/":
                return e.arguments[0]
            return Apply("+", tuple(map(over, e.arguments)), e.dtype)  # type: ignore[arg-type]

        z = under(a)
        if z is None or under(b) != z or self.facts.number(z, self.numbers) is not None:
            return None
        whole = Apply("+", (over(a), over(b)), FLOAT64)  # type: ignore[arg-type]
        return self.sum(Apply("/", (whole, z), FLOAT64))

    def _product(self, a: Sum, b: Sum) -> Sum:
        for one, other in ((a, b), (b, a)):
            if not one.terms:
                return other.scaled(one.constant)
        for one, other in ((a, b), (b, a)):
            if all(self._is_condition(v) for v, _ in one.terms):
                result = other.scaled(one.constant)
                for condition, factor in one.terms:
                    result = result.plus(self._where(condition, other).scaled(factor))
                return result
        (left, p), (right, q) = self._scaled_value(a), self._scaled_value(b)
        key = (Product, frozenset([left, right]))
        value = self._do(key, lambda out: Product(out, left, right))
        return Sum(((value, p * q),))

    def _where(self, condition: Value, total: Sum) -> Sum:
        """The sum where a condition holds, else 0."""
        if len(total.terms) == 1 and total.constant == 0 and self._is_condition(total.terms[0][0]):
            other, factor = total.terms[0]
            return Sum(((self._logic("and", condition, other), factor),))
        return self._select(condition, total, Sum())

    def _is_condition(self, value: Value) -> bool:
        return value.dtype == BOOL

    def _select(self, condition: Value | bool, a: Sum, b: Sum) -> Sum:
        if isinstance(condition, bool):
            return a if condition else b
        then, otherwise = self.value(a), self.value(b)
        key = (Select, condition, then, otherwise)
        return Sum(((self._do(key, lambda out: Select(out, condition, then, otherwise)), 1.0),))

    def _division(self, e: Apply, over: Expression, under: Expression) -> Sum:
        divisor = self.facts.number(under, self.numbers)
        if divisor is not None:
            if divisor == 0:
                raise self._refused(e, "divides by 0")
            return self.sum(over).scaled(1 / float(divisor))
        one = Apply("/", (Literal(1.0, FLOAT64), under), FLOAT64)
        inverse = self.facts.unit_constant(one, self.numbers)
        if inverse is not None:
            return self._product(self.sum(over), Sum(((inverse, 1.0),)))
        bare = (
            isinstance(under, (Cell, Local)) and self.facts.number(over, self.numbers) is not None
        )
        variable = None if bare else self._univariate(e)
        if variable is not None:
            return self._function(e, variable)
        return self._quotient(self.sum(over), self.sum(under))

    def _quotient(self, over: Sum, under: Sum) -> Sum:
        value, factor = self._scaled_value(under)
        if value in self._reciprocals:  # x/(1/y) = x y
            return self._product(over.scaled(1 / factor), Sum(((self._reciprocals[value], 1.0),)))
        above: Value | None = None
        scale = over.constant
        if over.terms:
            above, scale = self._scaled_value(over)
        key = (Quotient, above, value)
        found = self._do(key, lambda out: Quotient(out, above, value))
        if above is None:
            self._reciprocals[found] = value
        return Sum(((found, scale / factor),))

    def _power(self, e: Apply, base: Expression, exponent: Expression) -> Sum:
        power = self.facts.number(exponent, self.numbers)
        if power is None:
            raise self._refused(e, "has an exponent that is no constant")
        power = float(power)
        quotient = any(
            isinstance(p, Apply) and (p.operation == "/" or p.operation in _FUNCTIONS)
            for p in walk(base)
        )
        variable = self._univariate(e)
        if (
            power.is_integer()
            and 1 <= power <= MAX_PRODUCTS
            and not (quotient and variable is not None)
        ):
            one = self.sum(base)
            result = one
            for _ in range(int(power) - 1):
                result = self._product(result, one)
            return result
        if variable is not None:
            return self._function(e, variable)
        value, factor = self._scaled_value(self.sum(base))
        body = Apply("**", (ARGUMENT, Literal(power, FLOAT64)), FLOAT64)
        if factor < 0 and not power.is_integer():
            value, factor = self.value(self.sum(base)), 1.0
        return Sum(((self._tabled(value, body), factor**power),))

    def _called(self, e: Apply) -> Sum:
        if e.operation not in _FUNCTIONS or len(e.arguments) != 1:
            raise self._refused(e, "has no operation")
        variable = self._univariate(e)
        if variable is not None:
            return self._function(e, variable)
        value, factor = self._scaled_value(self.sum(e.arguments[0]))
        x: Expression = ARGUMENT
        if factor != 1:
            x = Apply("*", (Literal(factor, FLOAT64), ARGUMENT), FLOAT64)
        return Sum(((self._tabled(value, Apply(e.operation, (x,), FLOAT64)), 1.0),))

    def _call(self, e: Call) -> Sum:
        # the package's own, see `neuroglia_snn.language.arithmetic`
        match e.foreign.name, e.arguments:
            case "neuroglia_float", (x,):
                return self.sum(x)
            case "neuroglia_sign", (x,):
                return self._sign(self.sum(x))
            case "neuroglia_clip", (x, low, high):
                return self._clip(e, x, low, high)
            case (("neuroglia_cut" | "neuroglia_whole"), (x,)):
                return self._whole("int", self.sum(x))
            case "neuroglia_floor" | "neuroglia_ceil", (x,):
                return self._whole(e.foreign.name.removeprefix("neuroglia_"), self.sum(x))
        raise self._refused(e, f"calls '{e.foreign.name}', which is known to its script alone")

    def _absolute(self, total: Sum) -> Sum:
        value, factor = self._scaled_value(total)
        return Sum(((self._do((Absolute, value), lambda out: Absolute(out, value)), abs(factor)),))

    def _sign(self, total: Sum) -> Sum:
        positive, negative = (self._test(relation, total, Sum()) for relation in (">", "<"))
        return Sum(((positive, 1.0), (negative, -1.0)))

    def _whole(self, function: str, total: Sum) -> Sum:
        value = self.value(total)
        key = (Whole, value, function)
        return Sum(((self._do(key, lambda out: Whole(out, value, function)), 1.0),))

    def _timestep(self, e: Apply, a: Expression, b: Expression) -> Sum:
        dt = self.facts.number(b, self.numbers)
        if dt is None:
            raise self._refused(e, "has a step that is no constant")
        counted = self.sum(a).scaled(1 / float(dt))
        grids = [self.facts.grid(value) for value, _ in counted.terms]
        on_grid = all(
            grid is not None and math.isclose(factor * grid, round(factor * grid), abs_tol=1e-6)
            for grid, (_, factor) in zip(grids, counted.terms, strict=True)
        )
        if on_grid:
            return Sum(
                counted.terms, math.floor(counted.constant + EARLY) + EARLY
            )  # integers drop it
        return self._whole("floor", counted.plus(Sum((), EARLY)))

    def _clip(self, e: Expression, x: Expression, low: Expression, high: Expression) -> Sum:
        ends = [self.facts.number(end, self.numbers) for end in (low, high)]
        if None in ends:
            raise self._refused(e, "has bounds that are not constant")
        least, most = (float(end) for end in ends)  # type: ignore[arg-type]
        value = self.value(self.sum(x))
        key = (Clip, value, least, most)
        return Sum(((self._do(key, lambda out: Clip(out, value, least, most)), 1.0),))

    def _draw(self, e: Draw) -> Sum:
        if e.kind in ("rand", "randn"):
            value = self._do((Random, e), lambda out: Random(out, e.kind, e.number, e))
        else:
            self._only_constants(e)
            value = self._do((Exact, e), lambda out: Exact(out, e))
        return Sum(((value, 1.0),))

    def _only_constants(self, e: Expression) -> None:
        """Of what stays as it is, nothing may have become an integer."""
        for part in walk(e):
            steady = isinstance(part, Cell) and (
                part.dtype.kind != "f"
                or self.facts.constant(part.array)
                or part.array in self.facts.clock
            )
            if isinstance(part, Cell) and not steady:
                raise self._refused(e, f"reads '{part.array.name}', which changes")
            if isinstance(part, Local) and part.number not in self.numbers and not part.scalar:
                raise self._refused(e, "reads what changes")

    # ------------------------------------------------------------------ conditions

    def condition(self, e: Expression) -> Value | bool:
        """The value that holds a condition, or what it always is."""
        number = self.facts.number(e, self.numbers)
        if number is not None:
            return bool(number)
        if isinstance(e, Local):
            found = self.locals.get(e.number)
            if found is not None and not isinstance(found, Sum):
                return found
        if isinstance(e, Cell) and e.dtype == BOOL:
            return self.cells.get(e, e)
        if isinstance(e, Apply):
            match e.operation, e.arguments:
                case "not", (a,):
                    inner = self.condition(a)
                    return not inner if isinstance(inner, bool) else self._logic("not", inner)
                case (("and" | "or"), (a, b)):
                    return self._both(e.operation, self.condition(a), self.condition(b))
                case relation, (a, b) if relation in _RELATIONS:
                    return self._compared(relation, a, b)
        return self._test("!=", self.sum(e), Sum())

    def _compared(self, relation: str, a: Expression, b: Expression) -> Value | bool:
        if a.dtype == b.dtype == BOOL:
            left, right = self.truth(self.condition(a)), self.truth(self.condition(b))
            return self._test(relation, Sum(((left, 1.0),)), Sum(((right, 1.0),)))
        left_sum, right_sum = self.sum(a), self.sum(b)
        return self._test(relation, left_sum, right_sum)

    def _test(self, relation: str, left: Sum, right: Sum) -> Value:
        key = (Test, relation, left, right)
        return self._do(key, lambda out: Test(out, relation, left, right), BOOL)

    def _both(self, operation: str, a: Value | bool, b: Value | bool) -> Value | bool:
        for one, other in ((a, b), (b, a)):
            if isinstance(one, bool):
                decided = not one if operation == "and" else one
                return one if decided else other
        return self._logic(operation, a, b)  # type: ignore[arg-type]

    def _logic(self, operation: str, *of: Value) -> Value:
        return self._do((Logic, operation, of), lambda out: Logic(out, operation, of), BOOL)

    def truth(self, condition: Value | bool) -> Value:
        """A value that holds a condition, also where it never changes."""
        if not isinstance(condition, bool):
            return condition
        e = Literal(condition, BOOL)
        return self._do((Exact, e), lambda out: Exact(out, e), BOOL)

    # ------------------------------------------------------------------ functions

    def _univariate(self, e: Expression) -> Expression | None:
        """The variable of a smooth expression of one variable; None of any other."""
        found: set[Expression] = set()
        for part in _parts(e):
            if isinstance(part, Apply):
                if part.operation not in _FUNCTIONS | {"+", "-", "*", "/", "**", "neg"}:
                    return None
            elif isinstance(part, Local):
                if part.number in self.numbers:
                    continue
                if part.scalar or part.number not in self.locals:
                    return None
                found.add(part)
            elif isinstance(part, Cell):
                if part.array.scalar:
                    if self.facts.number(part, self.numbers) is None:
                        return None
                    continue
                found.add(part)
            elif not isinstance(part, (Literal, Parameter)):
                return None
        return found.pop() if len(found) == 1 else None

    def _function(self, e: Expression, variable: Expression) -> Sum:
        """An expression of one variable alone."""

        def numbers(part: Expression) -> Expression:
            if part == variable:
                return ARGUMENT
            if isinstance(part, (Parameter, Cell, Local)):
                return Literal(float(self.facts.number(part, self.numbers)), FLOAT64)  # type: ignore[arg-type]
            return part

        value = self.value(self.sum(variable))
        return Sum(((self._tabled(value, rewritten(e, numbers)), 1.0),))

    def _tabled(self, x: Value, body: Expression) -> Value:
        return self._do((Function, x, body), lambda out: Function(out, x, body))

    def _refused(self, e: Expression, why: str) -> Refused:
        return Refused(f"'{self._owner}': '{shown(e)}' {why}, which fixed point does not do")


def _parts(e: Expression):
    yield e
    for part in getattr(e, "arguments", ()):
        yield from _parts(part)


def _values_of(key: object):
    """All values in a key."""
    if isinstance(key, (tuple, frozenset)):
        for part in key:
            yield from _values_of(part)
    elif isinstance(key, Sum):
        yield from (value for value, _ in key.terms)
    elif isinstance(key, (Cell, Local)):
        yield key
    elif isinstance(key, (Apply, tree.Look, Draw)):
        yield from (part for part in walk(key) if isinstance(part, Cell))
