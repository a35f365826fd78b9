"""Numbers at their limits have one meaning on every backend: integers, signs, NaN, times, intervals."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from neuroglia_snn import backends, checks, results
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.results import plots

#: Ten steps; 'regularly' at 0, 0.3, 0.6 and 0.9 ms. The last two intervals are beyond the run.
MODEL = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "1 ms"
[table.seldom]
values = [0, 1, 2, 5]
dt = "1e6 s"
[table.soon]
values = [0, 1, 2, 5]
dt = "1e-12 s"
[population.whole]
size = 5
equations = '''
dx/dt = 1/ms : 1
n : integer
k : integer
m : integer
of_nan : integer
large : 1
sum : 1
negative : 1
size : 1
quotient : 1
of_zero : 1
half : 1
undefined = log(-1.0*(1 + i)) : 1
late = int(x*1e20) : 1
'''
regularly = [{ code = '''
n += 2147483647
k -= 2147483647 + 0*i
m = x*1e10
of_nan = undefined
large = int(x*1e20 + 3.7)
sum = n + 2147483647
negative = -(-2147483647 - (k - k) - 1)
half = int(i/2) + 10*int(1e10*i) + int(n*0)
size = abs(-2147483647 - i)
quotient = int(-x*1e9)//3 + (k + 5) % (k - k - 3)
of_zero = (n + 3) % int(x - x) + (n + 3)//int(x - x)
''', dt = "0.3 ms" }]
[population.signs]
size = 400
equations = '''
dv/dt = 1*volt/ms : volt
drawn : 1
undefined = log(-1.0*(1 + i)) : 1
of_volt = sign(v - 0.55*volt) : 1
of_nan = sign(undefined) + sign(undefined*volt) : 1
truths = int(undefined < 1) + 2*int(undefined > 1) + 4*int(undefined == undefined) + 8*int(not (undefined < 1)) + 16*int(undefined != undefined) : 1
clipped = clip(undefined, 0, 1) : 1
'''
initial = { drawn = "sign(randn())" }
[population.times]
size = 4
equations = '''
dy/dt = 0/ms : 1
late = seldom(t + 1.2e6*second*(i + 1)) : 1
never = seldom(1e300*second*i) : 1
now = seldom(t) : 1
past = soon(t*1e6 + 1e-13*second) : 1
once : 1
'''
regularly = [{ code = "once += 1", dt = "1e8 s" }]
[record.signs]
population = "signs"
variables = ["of_volt", "of_nan", "truths", "clipped"]
[record.times]
population = "times"
variables = ["late", "never", "now", "past"]
[record.whole]
population = "whole"
variables = ["late"]
[record.once]
population = "whole"
variables = ["x", "n"]
every = "1e8 s"
[record.mean]
population = "whole"
variables = ["x"]
reduce = "mean"
every = "2 ms"
[record.silent]
population = "silent"
events = true
[population.silent]
size = 2
equations = "dz/dt = 0/ms : 1"
threshold = "z > 1"
"""


def wrapped(x) -> np.ndarray:
    """The 32 bits of whole numbers."""
    return np.asarray(x, np.int64).astype(np.int32)


@pytest.fixture(
    scope="module", params=["numpy", pytest.param("cpp", marks=pytest.mark.thorough), "fused"]
)
def outcome(request, tmp_path_factory) -> Outcome:
    path: Path = tmp_path_factory.mktemp("numbers") / "m.toml"
    path.write_text(MODEL, encoding="utf-8")
    model, _ = checks.load_checked(str(path))
    found = backends.get(request.param).run(Request(model, seed=1))
    drawn = plots.records(SimpleNamespace(spec=model, data=results.dataset(model, found)))
    assert drawn is not None and drawn.axes  # of one sample, and of no spike
    return found


def test_integers_wrap_round_and_numbers_do_not(outcome):
    final, x = outcome.final["whole"], 0.9
    np.testing.assert_array_equal(final["n"], wrapped(4 * 2147483647))
    np.testing.assert_array_equal(final["k"], wrapped(-4 * 2147483647))
    assert abs(int(final["m"][0]) - int(wrapped(int(x * 1e10)))) < 10  # x is 0.9 to rounding
    np.testing.assert_array_equal(final["of_nan"], 0)
    np.testing.assert_allclose(final["large"], x * 1e20, rtol=1e-12)
    np.testing.assert_array_equal(final["sum"], wrapped(4 * 2147483647) + 2147483647.0)
    np.testing.assert_array_equal(final["negative"], 2147483648)
    np.testing.assert_array_equal(final["size"], 2147483647.0 + np.arange(5))
    k = int(wrapped(-4 * 2147483647))
    np.testing.assert_allclose(final["quotient"], -3e8 + (k + 5) % -3, atol=1)
    np.testing.assert_array_equal(final["of_zero"], 0)
    np.testing.assert_array_equal(final["half"], np.arange(5) // 2 + 1e11 * np.arange(5))
    late = outcome.records["whole"].values["late"]
    np.testing.assert_allclose(late[:, 0], np.arange(10) * 1e19, rtol=1e-12)


def test_signs_draw_once_and_comparisons_with_nan_are_false(outcome):
    drawn = outcome.final["signs"]["drawn"]
    assert set(np.unique(drawn)) == {-1, 1}
    found = outcome.records["signs"].values
    np.testing.assert_array_equal(found["of_volt"][:, 0], [-1] * 6 + [1] * 4)
    np.testing.assert_array_equal(found["of_nan"], 0)
    np.testing.assert_array_equal(found["truths"], 8 + 16)
    assert np.isnan(found["clipped"]).all()


def test_tables_are_read_at_any_time(outcome):
    found = outcome.records["times"].values
    np.testing.assert_array_equal(found["late"], np.tile([1, 2, 5, 5], (10, 1)))
    np.testing.assert_array_equal(found["never"], np.tile([0, 5, 5, 5], (10, 1)))
    np.testing.assert_array_equal(found["now"], 0)
    np.testing.assert_array_equal(found["past"][:, 0], [0] + [5] * 9)


def test_what_is_due_beyond_the_run_is_due_once(outcome):
    np.testing.assert_array_equal(outcome.final["times"]["once"], 1)
    for name, units in (("once", 5), ("mean", 1)):
        record = outcome.records[name]
        np.testing.assert_array_equal(record.times, [0])
        np.testing.assert_array_equal(record.values["x"], np.zeros((1, units)))
    assert outcome.final["whole"]["x"][0] == pytest.approx(1)
    assert len(outcome.events["silent"][0]) == 0
