"""The few operations that one time step is made of, and the program that holds them.

Each acts on one value per unit. In floating point, coefficients and constants are numbers of the
model; in fixed point (`neuroglia_snn.fixedpoint`) they are integers, and ``shift`` and ``bits`` say how
a result is rounded and where it saturates.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from neuroglia_snn.errors import BackendError

#: Relations of a comparison.
COMPARE: dict[str, Callable] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Rounding:
    """Divide by ``2**shift``, rounding half up, and saturate at ``bits`` signed bits.

    ``random`` rounds up with the probability that makes the result right in the mean.
    """

    shift: int
    bits: int
    random: bool = False


@dataclass(frozen=True)
class Sum:
    """``constant + sum of coefficient * value``."""

    terms: tuple[tuple[str, float], ...] = ()
    constant: float = 0.0


@dataclass(frozen=True)
class Linear:
    """A weighted sum, rounded once."""

    out: str
    sum: Sum
    rounding: Rounding | None = None


@dataclass(frozen=True)
class Product:
    """``a * b``."""

    out: str
    a: str
    b: str
    rounding: Rounding | None = None


@dataclass(frozen=True)
class Function:
    """A function of one value, as an expression of the name ``x``; a look-up table in fixed point.

    The table has its entries at ``origin + n * 2**step`` and is interpolated linearly between them.
    """

    out: str
    x: str
    text: str
    origin: int = 0
    step: int = 0
    entries: tuple[int, ...] = ()


@dataclass(frozen=True)
class Clip:
    """The value nearest to ``x`` between two bounds."""

    out: str
    x: str
    low: float
    high: float


@dataclass(frozen=True)
class Test:
    """1 where ``left`` stands in the relation ``>``, ``>=``, ``<``, ``<=``, ``==`` to ``right``, else 0."""

    out: str
    relation: str
    left: Sum
    right: Sum

    __test__ = False  # not a test of pytest's


@dataclass(frozen=True)
class Select:
    """``then`` where ``condition`` is not 0, ``otherwise`` elsewhere."""

    out: str
    condition: str
    then: str
    otherwise: str


@dataclass(frozen=True, eq=False)
class Stencil:
    """``(pre * sum over the neighbours' x + post * own x) / denominator``; fixed point does not divide.

    ``pre`` and ``post`` are whole numbers, one a unit: they differ where a unit has fewer neighbours.
    """

    out: str
    x: str
    shape: tuple[int, int]
    pre: np.ndarray
    post: np.ndarray
    denominator: int


#: Functions of one variable that expressions may call.
FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "exp",
        "expm1",
        "exprel",
        "log",
        "log1p",
        "log10",
        "sqrt",
        "ceil",
        "floor",
        "abs",
        "int",
        "clip",
    ]
)

Operation = Linear | Product | Function | Clip | Test | Select | Stencil


@dataclass(frozen=True)
class Block:
    """Operations in order, and which values they then assign to which variables."""

    operations: tuple[Operation, ...] = ()
    assign: Mapping[str, str] = field(default_factory=dict)

    def reads(self) -> set[str]:
        """Names that the block takes from outside."""
        made: set[str] = set()
        read: set[str] = set()
        for operation in self.operations:
            read |= set(operands(operation)) - made
            made.add(operation.out)
        return read | (set(self.assign.values()) - made)


def operands(operation: Operation) -> tuple[str, ...]:
    """Names of the values that an operation reads."""
    match operation:
        case Linear(sum=total):
            return tuple(name for name, _ in total.terms)
        case Product(a=a, b=b):
            return a, b
        case Test(left=left, right=right):
            return tuple(name for name, _ in (*left.terms, *right.terms))
        case Select(condition=condition, then=then, otherwise=otherwise):
            return condition, then, otherwise
    return (operation.x,)


@dataclass(frozen=True)
class Stimulated:
    """A variable that stimuli fill: for each stimulus its values, one a unit, and its windows in ns."""

    variable: str
    values: tuple[np.ndarray, ...]
    windows: tuple[tuple[int, int, int, int], ...]

    def on(self, step: np.ndarray, dt: float) -> np.ndarray:
        """Which stimuli are on at these steps, (step, stimulus)."""
        now = np.floor(np.asarray(step) * dt * 1e9 + 0.5).astype(np.int64)
        columns = []
        for start, duration, period, count in self.windows:
            since = now - start
            columns.append((since >= 0) & (since // period < count) & (since % period < duration))
        return np.stack(columns, axis=-1)


@dataclass(frozen=True)
class Population:
    """One step of a population, in blocks that run in order.

    ``predict`` and ``correct`` are the stages of the scheme (``correct`` is empty for one stage),
    ``fire`` is threshold and reset. ``noise`` names the normal number that the stages read. ``times``
    are the variables that hold a time. ``period`` is in steps of the fastest population.
    """

    name: str
    shape: tuple[int, ...]
    period: int
    dt: float
    state: tuple[str, ...]
    initial: Mapping[str, np.ndarray]
    times: frozenset[str]
    predict: Block
    correct: Block
    fire: Block
    noise: str | None
    stream: int
    stimulated: tuple[Stimulated, ...]
    inputs: tuple[str, ...]
    event: str | None

    @property
    def size(self) -> int:
        """Number of units."""
        return int(np.prod(self.shape))

    def blocks(self) -> dict[str, Block]:
        """The blocks of a step by name."""
        return {"predict": self.predict, "correct": self.correct, "fire": self.fire}


@dataclass(frozen=True, eq=False)
class Coupling:
    """A sum over connections that is held between its updates.

    ``give`` makes ``term`` from the source's variables; each target unit adds up its sources' terms,
    times ``weights / denominator``, into ``variable``, on a clock of its own: ``period`` is in steps of
    the fastest population, ``dt`` in s. Fixed point leaves the denominator to the reader, and gives
    terms of ``bits``, where the width of the unit's own arithmetic would let the sum overflow.
    """

    name: str
    source: str
    target: str
    variable: str
    period: int
    dt: float
    give: Block
    term: str
    source_size: int
    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    denominator: float = 1
    bits: int | None = None

    @property
    def gives_variable(self) -> str | None:
        """The variable that is given as it is; None where more is to be done."""
        match self.give.operations:
            case (Linear(sum=Sum(terms=((name, 1),), constant=0), rounding=rounding),):
                whole = rounding is None or (rounding.shift == 0 and self.bits is None)
                return name if whole and name != "t" else None
        return None

    def pooled(self, terms: np.ndarray, size: int) -> np.ndarray:
        """Sum of the terms at each of ``size`` targets."""
        result = np.zeros(size, terms.dtype)
        np.add.at(result, self.targets, self.weights * terms[self.sources])
        return result if self.denominator == 1 else result / self.denominator


def by_name(couplings: Iterable[Coupling]) -> dict[str, Coupling]:
    """Couplings by their names.

    Raises
    ------
    BackendError
        For two of one name.
    """
    result: dict[str, Coupling] = {}
    for coupling in couplings:
        if result.setdefault(coupling.name, coupling) is not coupling:
            raise BackendError(
                f"two couplings would both be '{coupling.name}': rename a projection"
            )
    return result


@dataclass(frozen=True)
class Program:
    """A whole model as operations. ``dt`` is the step of the fastest population, in s."""

    name: str
    dt: float
    steps: int
    populations: Mapping[str, Population]
    couplings: Mapping[str, Coupling]
