"""Number formats, ranges, integer arithmetic and quantised noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neuroglia_snn import lowering
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ModelError, UserError
from neuroglia_snn.fixedpoint import integers, recorded
from neuroglia_snn.fixedpoint.formats import Format, fitting
from neuroglia_snn.fixedpoint.integers import Integers, in_integers
from neuroglia_snn.fixedpoint.quantise import _coefficient, _mantissa
from neuroglia_snn.fixedpoint.ranges import RangeError, of_block, that_matter
from neuroglia_snn.lowering.execute import in_floats
from neuroglia_snn.lowering.operations import (
    Block,
    Clip,
    Function,
    Linear,
    Product,
    Rounding,
    Sum,
)

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


def arithmetic() -> Integers:
    return Integers.__new__(Integers)


@given(st.integers(-(2**40), 2**40), st.integers(0, 30))
def test_rounding_is_half_up(value, shift):
    numbers = arithmetic()
    numbers.saturated = 0
    operation = Linear("y", Sum((("x", 1),), 0), Rounding(shift, 62))
    found = int(numbers.linear(operation, {"x": np.array([value])})[0])
    assert found == math.floor(value / 2**shift + 0.5) if abs(value) < 2**50 else True


def test_saturation_is_counted():
    numbers = arithmetic()
    numbers.saturated = 0
    operation = Product("y", "a", "b", Rounding(0, 8))
    found = numbers.product(operation, {"a": np.array([10, 20, 5]), "b": np.array([10, 20, -50])})
    assert list(found) == [100, 127, -128]
    assert numbers.saturated == 2


def test_intervals_hold_what_operations_give():
    block = Block(
        (
            Linear("s", Sum((("x", 2.0), ("y", -1.0)), 0.5)),
            Product("p", "s", "x"),
            Function("f", "x", "x/(x + 0.5)"),
        )
    )
    known = of_block(block, {"x": (0.0, 1.0), "y": (-1.0, 2.0)})
    assert known["s"] == (-1.5, 3.5)
    assert known["p"] == (-1.5, 3.5)
    assert known["f"] == (0.0, pytest.approx(2 / 3))


def test_a_function_with_a_pole_in_its_range_is_refused():
    with pytest.raises(RangeError, match=r"'1/x' is not finite for every x between -1 and 1"):
        of_block(Block((Function("f", "x", "1/x"),)), {"x": (-1.0, 1.0)})


def test_what_matters_of_a_value_is_what_its_saturating_sum_can_show():
    block = Block(
        (
            Function("f", "x", "exp(x)"),
            Function("g", "x", "exp(x)"),
            Function("h", "x", "exp(x)"),
            Linear("s", Sum((("f", 0.5), ("y", 1.0)), 1.0)),
            Product("p", "g", "y"),
            Linear("out", Sum((("s", 2.0), ("p", 1.0)))),
            Clip("c", "h", -2.0, 3.0),
        ),
        {"z": "out", "w": "c"},
    )
    known = of_block(block, {"x": (0.0, 20.0), "y": (-1.0, 1.0)}) | {"p": (0.0, 4.0)}
    matter = that_matter(block, known, {"out": (-10.0, 10.0)})
    assert matter["s"] == (-7.0, 5.0)  # 2 s + p reaches -10 or 10 from there on, whatever p is
    assert matter["f"] == (-18.0, 10.0)
    assert matter["h"] == (-2.0, 3.0)
    assert not {"g", "x", "c"} & set(matter)  # a product, a function and a variable need all


# ------------------------------------------------------------------------ noise


def normals(count: int, units: int = 2000, seed: int = 5) -> np.ndarray:
    population = type("P", (), {"size": units, "stream": 7})()
    numbers = arithmetic()
    numbers._register = integers.registers(seed, population)
    return np.array([numbers.normals(n) for n in range(count)]) * integers.NORMAL_SCALE


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
    assert (integers.registers(0, type("P", (), {"size": 10_000, "stream": 1})()) != 0).all()


# ------------------------------------------------------------------------ models

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


def decay(tmp_path, ranges: str = ""):
    path = tmp_path / "m.toml"
    path.write_text(DECAY.replace("RANGE", ranges), encoding="utf-8")
    return load(str(path))


def test_formats_come_from_a_recorded_run_where_the_file_gives_none(tmp_path):
    model = decay(tmp_path)
    program = lowering.lower(model, {})
    fixed = recorded.formats(model, program, 0)
    run, reference = in_integers(fixed.program, 0), in_floats(program, 0)
    for _ in range(program.steps):
        run.advance()
        reference.advance()
    for name, expected in reference.populations["a"].arrays.items():
        found = fixed.formats["a"][name].decode(run.populations["a"].arrays[name])
        np.testing.assert_allclose(found, expected, atol=2e-5)
    assert integers.saturated(run) == {"a": 0}


def test_the_file_sets_range_and_bits(tmp_path):
    model = decay(tmp_path, 'range = { x = ["-4", "4", 16], y = ["0", "2"] }')
    fixed = recorded.formats(model, lowering.lower(model, {}), 0)
    assert str(fixed.formats["a"]["x"]) == "Q2.13"
    assert fixed.formats["a"]["x"].bits == 16
    assert str(fixed.formats["a"]["y"]) == "Q1.22"


def test_a_range_too_small_shows_in_the_count(tmp_path):
    model = decay(tmp_path, 'range = { x = ["0", "0.25"], y = ["0", "2"] }')
    fixed = recorded.formats(model, lowering.lower(model, {}), 0)
    run = in_integers(fixed.program, 0)
    run.advance()
    assert integers.saturated(run)["a"] > 0


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
    with pytest.raises(ModelError, match=said):
        decay(tmp_path, ranges)


@given(st.integers(-(2**40), 2**40), st.integers(0, 40), st.integers(1, 2**32 - 1))
def test_stochastic_rounding_is_down_or_up(value, shift, word):
    numbers = arithmetic()
    numbers.saturated, numbers._rounding = 0, np.array([word], np.uint32)
    operation = Linear("y", Sum((("x", 1),), 0), Rounding(shift, 62, True))
    found = int(numbers.linear(operation, {"x": np.array([value])})[0])
    assert found in (value >> shift, -(-value >> shift))
    assert numbers._rounding[0] == integers.advance(np.array([word], np.uint32))[0]


def test_stochastic_rounding_is_right_in_the_mean():
    """Of 40,000 roundings each; a mean further off than 4 standard errors has probability 6e-5."""
    numbers, units = arithmetic(), 200
    numbers.saturated = 0
    numbers._rounding = np.arange(1, units + 1, dtype=np.uint32) * np.uint32(0x9E3779B9)
    for part in (0.1, 0.5, 0.93):
        operation = Linear("y", Sum((("x", 1),), 0), Rounding(20, 62, True))
        exact = np.full(units, round((7 + part) * 2**20))
        found = np.array([numbers.linear(operation, {"x": exact}) for _ in range(200)])
        assert set(np.unique(found)) == {7, 8}
        error = math.sqrt(part * (1 - part) / found.size)
        assert abs(found.mean() - 7 - part) < 4 * error


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
    path = tmp_path / "m.toml"
    path.write_text(CLOCKED.replace("RELATION", relation), encoding="utf-8")
    model = load(str(path))
    program = lowering.lower(model, {})
    fixed = recorded.formats(model, program, 0)
    run = in_integers(fixed.program, 0)
    while run.step < program.steps:
        run.advance()
    found = fixed.formats["a"]["n"].decode(run.populations["a"].arrays["n"])
    np.testing.assert_allclose(found, count, atol=0.01)


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
        path = tmp_path / "m.toml"
        text = SLOW.replace("ROUNDING", rounding).replace("INTEGRATOR", integrator)
        path.write_text(text, encoding="utf-8")
        model = load(str(path))
        fixed = recorded.formats(model, lowering.lower(model, {}), 1)
        run = in_integers(fixed.program, 1)
        for _ in range(fixed.program.steps):
            run.advance()
        found[rounding] = fixed.formats["a"]["x"].decode(run.populations["a"].arrays["x"])
        assert bool(fixed.standing) == (rounding == "nearest")
    assert np.abs(found["nearest"] - 0.1).max() < fixed.formats["a"]["x"].scale
    error = found["stochastic"].std() / math.sqrt(400)
    assert 0 < error < 1e-4  # of a decay by 0.04; four of them: 6e-5 of all seeds
    assert abs(found["stochastic"].mean() - 0.1 * math.exp(-0.5)) < 4 * error


def test_range_errors_are_the_users():
    assert issubclass(RangeError, UserError)
