"""Number formats, ranges, coefficients, and operations in integers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.fused import FusedBackend, device
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ModelError, UserError
from neuroglia_snn.fixedpoint import registers
from neuroglia_snn.fixedpoint.formats import Format, fitting
from neuroglia_snn.fixedpoint.intervals import RangeError, that_matter
from neuroglia_snn.fixedpoint.operations import (
    Block,
    Clip,
    Function,
    Linear,
    Product,
    Quotient,
    Rounding,
    Sum,
)
from neuroglia_snn.fixedpoint.rounded import (
    NORMAL,
    Rounded,
    _coefficient,
    _mantissa,
    ranges_of,
    rounded,
)
from neuroglia_snn.fixedpoint.statements import Integers
from neuroglia_snn.fixedpoint.sums import ARGUMENT
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.program import Kernel, Program
from neuroglia_snn.program.reference import NUMPY, Evaluation, NumpyMachine
from neuroglia_snn.program.tree import FLOAT64, INT64, Apply, Array, Cell, Literal, Local, Parameter

finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(finite, finite, st.integers(4, 24))
def test_a_fitting_format_holds_its_range_as_finely_as_it_can(a, b, bits):
    low, high = min(a, b), max(a, b)
    size = max(abs(low), abs(high))
    if size < 1e-6:
        return
    made = fitting(low, high, bits)
    assert made.limit * made.scale >= size - made.scale
    assert made.limit * made.scale < 2 * size + made.scale


@given(st.floats(-7.9, 7.9))
def test_encoding_rounds_to_the_nearest(value):
    made = Format(24, 20)
    assert abs(made.decode(made.encode(value)) - value) <= made.scale / 2


def test_encoding_saturates():
    made = Format(8, 4)
    assert list(made.encode(np.array([100.0, -100.0]))) == [127, -128]


@given(st.floats(1e-6, 1e6).filter(lambda x: x > 0))
def test_a_mantissa_keeps_sixteen_bits_and_its_exponent_is_bounded(factor):
    mantissa, exponent = _mantissa(factor)
    assert abs(mantissa) < 2**15 or exponent == 0
    relative = max(2.0**-15 * factor, 2.0**-31)
    assert abs(mantissa * 2.0**-exponent - factor) <= relative


def test_a_coefficient_near_one_keeps_the_precision_of_what_it_lacks():
    """x + dt*f(x): a mantissa of 16 bits for 1 - dt/tau would lose dt/tau."""
    mantissa, exponent = _coefficient(1 - 1.26e-4)
    assert mantissa * 2.0**-exponent - 1 == pytest.approx(-1.26e-4, rel=1e-4)
    assert _coefficient(1.0) == (1, 0)
    assert _coefficient(0.5)[0] * 2.0 ** -_coefficient(0.5)[1] == 0.5


# ------------------------------------------------------------------------ blocks


def value(number: int) -> Local:
    return Local(number, INT64, False)


A, B, S, P, F, G, H, OUT, C = map(value, range(9))


def cell(values) -> Cell:
    return Cell(Array(0, Given("x", np.asarray(values, np.int32), None, False), False), None)


class _Home:
    """Where the numbers of one block are kept, all formats alike."""

    size = 1

    def __init__(self, format: Format) -> None:
        self._format = format
        self.program = Program()
        self.count = self._array(np.zeros(1000, np.int32))
        self.words = self._array(np.arange(1, 1001, dtype=np.uint32) * np.uint32(0x9E3779B9))

    def _array(self, values) -> Array:
        made = Array(len(self.program.arrays), Given("own", values, None, False), False)
        self.program.arrays.append(made)
        return made

    def format(self, cell):
        return self._format

    def cell(self, cell):
        return cell

    def parameter(self, number):
        self.program.parameters.append(number)
        kind = FLOAT64 if isinstance(number, float) else INT64
        return Parameter(len(self.program.parameters) - 1, kind)

    def table(self, entries):
        return self._array(np.array(entries, np.int32))

    def rounding(self):
        return Cell(self.words, None)

    def saturated(self):
        return Cell(self.count, None)


def computed(block: Block, x: Cell, made: Format = Format(24, 0), **rest) -> tuple[dict, _Home]:  # noqa: B008
    """The values of a block's integers for every unit, by the reference."""
    home = _Home(made)
    done = rest.pop("done", None) or Rounded(block, block.free, {}, {})
    integers = Integers(done, home)
    machine = NumpyMachine(home.program, Setting([], [], [], [], False))
    one = Evaluation(machine, 0, np.arange(len(x.array.values())))
    one.run(Kernel(tuple(integers.once), tuple(integers.each)))
    return one.locals, home


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9), st.integers(0, 30))
def test_rounding_is_half_up(values, shift):
    x = cell(values)
    block = Block((Linear(A, Sum(((x, 1),), 0), Rounding(shift, 62)),), free=1)
    found, _ = computed(block, x)
    assert list(found[0]) == [(v + (1 << shift >> 1)) >> shift for v in values]


def test_saturation_is_counted():
    x = cell([100, 400, -250])
    block = Block((Linear(A, Sum(((x, 1),), 0), Rounding(0, 8)),), free=1)
    found, home = computed(block, x)
    assert list(found[0]) == [100, 127, -128]
    assert list(home.count.values()[:3]) == [0, 1, 1]


@given(st.integers(-(2**30), 2**30), st.integers(1, 29))
def test_stochastic_rounding_is_down_or_up(number, shift):
    x = cell([number])
    block = Block((Linear(A, Sum(((x, 1),), 0), Rounding(shift, 62, True)),), free=1)
    found, home = computed(block, x)
    assert int(found[0][0]) in (number >> shift, -(-number >> shift))
    first = np.array([0x9E3779B9], np.uint32)
    assert home.words.values()[0] == NUMPY["xorshift"](first)[0]


def test_stochastic_rounding_is_right_in_the_mean():
    """Of 40,000 roundings each; a mean further off than 4 standard errors has probability 6e-5."""
    for part in (0.1, 0.5, 0.93):
        x = cell(np.full(1000, round((7 + part) * 2**20)))
        block = Block((Linear(A, Sum(((x, 1),), 0), Rounding(20, 62, True)),), free=1)
        home = _Home(Format(24, 0))
        integers = Integers(Rounded(block, 1, {}, {}), home)
        machine = NumpyMachine(home.program, Setting([], [], [], [], False))
        found = []
        for _ in range(40):
            one = Evaluation(machine, 0, np.arange(1000))
            one.run(Kernel((), tuple(integers.each)))
            found.append(one.locals[0])
        assert set(np.unique(found)) == {7, 8}
        error = math.sqrt(part * (1 - part) / np.size(found))
        assert abs(np.mean(found) - 7 - part) < 4 * error


def exponential() -> Apply:
    return Apply("exp", (ARGUMENT,), FLOAT64)


@pytest.mark.parametrize(
    ("operation", "exact", "error"),
    [
        (lambda x: Function(A, x, exponential()), np.exp, 2.0**-12),
        (lambda x: Quotient(A, None, x), lambda x: 1 / x, 1e-6),
        (lambda x: Product(A, x, x), np.square, 1e-6),
        (lambda x: Linear(A, Sum(((x, -0.3),), 0.7)), lambda x: 0.7 - 0.3 * x, 2e-5),
    ],
)
def test_operations_in_integers_are_those_of_numbers(operation, exact, error):
    made = Format(24, 20)
    numbers = np.linspace(0.5, 4.5, 700)
    x = cell(made.encode(numbers))
    block = Block((operation(x),), free=1)
    done = rounded(block, lambda c: made, lambda c: (0.5, 4.5), {}, {})
    found, _ = computed(done.block, x, made, done=done)
    expected = exact(made.decode(x.array.values()))
    decoded = done.formats[A].decode(found[0])
    np.testing.assert_allclose(decoded, expected, atol=error * np.abs(expected).max())


def test_intervals_hold_what_operations_give():
    x, y = cell([0]), cell([0])
    body = Apply("/", (ARGUMENT, Apply("+", (ARGUMENT, literal(0.5)), FLOAT64)), FLOAT64)
    block = Block(
        (
            Linear(S, Sum(((x, 2.0), (y, -1.0)), 0.5)),
            Product(P, S, x),
            Function(F, x, body),
        )
    )
    known = ranges_of(block, lambda c: (0.0, 1.0) if c is x else (-1.0, 2.0), {})
    assert known[S] == (-1.5, 3.5)
    assert known[P] == (-1.5, 3.5)
    assert known[F] == (0.0, pytest.approx(2 / 3))


def literal(number: float) -> Literal:
    return Literal(number, FLOAT64)


def test_a_quotient_by_what_may_be_0_is_refused():
    x = cell([0])
    with pytest.raises(RangeError, match=r"divisor is between -1 and 1, and so may be 0"):
        ranges_of(Block((Quotient(A, None, x),)), lambda c: (-1.0, 1.0), {})
    body = Apply("log", (ARGUMENT,), FLOAT64)
    with pytest.raises(RangeError, match=r"'log\(x\)' is not finite for every x between -1 and 1"):
        ranges_of(Block((Function(A, x, body),)), lambda c: (-1.0, 1.0), {})


def test_what_a_run_has_shown_bounds_what_does_not_follow():
    x = cell([0])
    block = Block((Quotient(A, None, x), Product(P, A, A)))
    known = ranges_of(block, lambda c: (-1.0, 1.0), {A: (2.0, 3.0), P: (4.0, 9.0)})
    assert 0 < known[A][0] <= 2 and 3 <= known[A][1] < 6


def test_what_matters_of_a_value_is_what_its_saturating_sum_can_show():
    x, y = cell([0]), cell([0])
    block = Block(
        (
            Function(F, x, exponential()),
            Function(G, x, exponential()),
            Function(H, x, exponential()),
            Linear(S, Sum(((F, 0.5), (y, 1.0)), 1.0)),
            Product(P, G, y),
            Linear(OUT, Sum(((S, 2.0), (P, 1.0)))),
            Clip(C, H, -2.0, 3.0),
        ),
        {"z": OUT, "w": C},
    )
    known = ranges_of(block, lambda c: (0.0, 20.0) if c is x else (-1.0, 1.0), {})
    matter = that_matter(block, known | {P: (0.0, 4.0)}, {OUT: (-10.0, 10.0)})
    assert matter[S] == (-7.0, 5.0)  # 2 s + p reaches -10 or 10 from there on, whatever p is
    assert matter[F] == (-18.0, 10.0)
    assert matter[H] == (-2.0, 3.0)
    assert not {G, x, C} & set(matter)  # a product, a function and a variable need all


# ------------------------------------------------------------------------ noise


def normals(count: int, units: int = 2000, seed: int = 5) -> np.ndarray:
    word, found = registers.first((seed, 7), units), []
    for _ in range(count):
        total = np.full(units, -registers.NORMAL_MEAN)
        for _ in range(2):
            word = NUMPY["xorshift"](word)
            total += NUMPY["byte_sum"](word)
        found.append(total)
    return np.array(found) * NORMAL.scale


def test_the_quantised_noise_is_white_and_near_normal():
    z = normals(200)
    size = z.size
    assert abs(z.mean()) < 4 / math.sqrt(size)
    assert abs(z.var() - 1) < 4 * math.sqrt(2 / size)
    assert stats.kurtosis(z.ravel()) == pytest.approx(-0.15, abs=0.03)
    for lag in (1, 2, 3):
        along = (z[lag:] * z[:-lag]).mean()
        across = (z[:, lag:] * z[:, :-lag]).mean()
        assert abs(along) < 4.5 / math.sqrt(size) and abs(across) < 4.5 / math.sqrt(size)


def test_the_noise_depends_on_the_seed_and_no_register_stands_still():
    assert not np.array_equal(normals(3), normals(3, seed=6))
    assert (registers.first((0, 1), 10_000) != 0).all()


# ------------------------------------------------------------------------ models


def run(path, text: str, seed: int = 0):
    """A model in integers: its final values, and what its run had to say."""
    path.write_text(text, encoding="utf-8")
    outcome = FusedBackend().run(Request(load(str(path)), seed=seed, precision="fixed"))
    return outcome, device.fixed


DECAY = """
[model]
dt = "0.1 ms"
integrator = "heun"
duration = "20 ms"
[population.a]
size = 3
equations = '''
dx/dt = -x*(1 + x)/(4*ms) + 0.2*exp(-x)/ms : 1
dy/dt = (x - y)/(3*ms) : 1
'''
initial = { x = "0.5*i", y = "1" }
RANGE
"""


def test_formats_come_from_a_run_where_the_file_gives_none(tmp_path):
    path = tmp_path / "m.toml"
    found, fixed = run(path, DECAY.replace("RANGE", ""))
    exact = FusedBackend().run(Request(load(str(path))))
    for name, expected in exact.final["a"].items():
        np.testing.assert_allclose(found.final["a"][name], expected, atol=2e-5)
    assert fixed.saturated() == {}


def test_the_file_sets_range_and_bits(tmp_path):
    ranges = 'range = { x = ["-4", "4", 16], y = ["0", "2"] }'
    found, _ = run(tmp_path / "m.toml", DECAY.replace("RANGE", ranges))
    assert found.details["fixed"]["formats"] == {"a_.x": "Q2.13", "a_.y": "Q1.22"}


def test_a_range_too_small_shows_in_the_count(tmp_path):
    ranges = 'range = { x = ["0", "0.25"], y = ["0", "2"] }'
    _, fixed = run(tmp_path / "m.toml", DECAY.replace("RANGE", ranges))
    assert fixed.saturated()["a__stateupdater"] > 0


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ('range = { w = ["0", "1"] }', "no variable to give a range"),
        ('range = { x = ["1", "0"] }', "'1' is not below 0|1 is not below 0"),
        ('range = { x = ["0"] }', "is \\[low, high\\]"),
        ('range = { x = ["0 ms", "1 ms"] }', "must be in"),
        ('range = { x = ["0", "1", 40] }', "from 4 to 24"),
        ('range = { x = ["0", "1", 16, "stochastik"] }', "did you mean 'stochastic'"),
        ('range = { x = ["0", "1", 16, "nearest", 1] }', r"or \[low, high, bits, rounding\]"),
    ],
)
def test_a_bad_range_is_one_sentence(tmp_path, ranges, said):
    path = tmp_path / "m.toml"
    path.write_text(DECAY.replace("RANGE", ranges), encoding="utf-8")
    with pytest.raises(ModelError, match=said):
        load(str(path))


CLOCKED = """
[model]
dt = "0.1 ms"
integrator = "euler"
duration = "20 ms"
[population.a]
size = 2
equations = '''
dx/dt = (2 - x)/ms : 1
last : second
n : 1
'''
threshold = "x > 1"
reset = "d = t - last; n += int(d RELATION 0.1*ms); last = t"
initial = { x = "2" }
range = { n = ["0", "300"] }
"""


@pytest.mark.parametrize(("relation", "count"), [(">=", 199), ("==", 199), (">", 0), ("<", 1)])
def test_times_are_compared_exactly_also_through_a_local_variable(tmp_path, relation, count):
    """A unit that is always above its threshold fires in every one of 200 steps, the first at t = 0."""
    found, _ = run(tmp_path / "m.toml", CLOCKED.replace("RELATION", relation))
    np.testing.assert_allclose(found.final["a"]["n"], count, atol=0.01)


SLOW = """
[model]
dt = "0.1 ms"
integrator = "INTEGRATOR"
duration = "500 ms"
[population.a]
size = 400
equations = "dx/dt = -x/(1000*ms) : 1"
initial = { x = "0.1" }
range = { x = ["-1", "1", 16, "ROUNDING"] }
"""


@pytest.mark.parametrize("integrator", ["euler", "heun"])
def test_a_slow_16_bit_state_stands_still_unless_it_is_rounded_at_random(tmp_path, integrator):
    """A step changes x by 1e-5, a third of the 16-bit step: rounded to nearest it never moves."""
    found = {}
    for rounding in ("nearest", "stochastic"):
        text = SLOW.replace("ROUNDING", rounding).replace("INTEGRATOR", integrator)
        outcome, fixed = run(tmp_path / "m.toml", text, seed=1)
        found[rounding] = outcome.final["a"]["x"]
        assert bool(fixed.standing) == (rounding == "nearest")
    assert np.abs(found["nearest"] - 0.1).max() < 2.0**-15
    error = found["stochastic"].std() / math.sqrt(400)
    assert 0 < error < 1e-4  # of a decay by 0.04; four of them: 6e-5 of all seeds
    assert abs(found["stochastic"].mean() - 0.1 * math.exp(-0.5)) < 4 * error


def test_range_errors_are_the_users():
    assert issubclass(RangeError, UserError)
