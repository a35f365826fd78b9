"""Lava runs equal what they simulate: Brian2 in floating point, the integer oracle in fixed point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neuroglia_snn import backends, load
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.lava import _compat
from neuroglia_snn.errors import BackendError
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.fixedpoint.integers import in_integers
from neuroglia_snn.lowering import lower
from neuroglia_snn.lowering.execute import ProgramRun, in_floats
from neuroglia_snn.lowering.messages import with_messages
from neuroglia_snn.native.run import native

needs_lava = pytest.mark.skipif(_compat.missing() is not None, reason=str(_compat.missing()))

SMALL = {
    "population.neuron.shape": "[10, 13]",
    "population.astrocyte.shape": "[3, 4]",
    "model.duration": "6 ms",
    "stimulus.test.start": "2 ms",
    "record.frames.every": "1 ms",
    "record.calcium.every": "1 ms",
    "t_glio": "2 ms",  # so that the feedback acts within the short run
    "Ca_glio": "0.0697 uM",
}


def request(precision="float", seed=1, **settings) -> Request:
    model = load("noise_induced_memory", {**SMALL, **settings})
    shape = model.populations["neuron"].shape
    image = np.zeros(shape, bool)
    image[2:8, 3:9] = True
    return Request(model, {"train": image, "test": image[::-1]}, seed, precision=precision)


def oracle(asked: Request, messages: bool):
    """The same run in NumPy: its arrays in SI units, by population."""
    program = lower(asked.model, asked.images)
    program = with_messages(program) if messages else program
    if asked.precision == "float":
        run = in_floats(program, asked.seed, messages)
        decode = {}
    else:
        fixed = recorded.formats(asked.model, program, asked.seed)
        run, decode = in_integers(fixed.program, asked.seed, messages), fixed.formats
    while run.step < program.steps:
        run.advance()
    return {
        n: {v: decode[n][v].decode(a) if decode else a for v, a in p.arrays.items()}
        for n, p in run.populations.items()
    }


@pytest.mark.slow
@needs_lava
def test_the_fast_float_run_follows_brian2s_path():
    ours = backends.get("lava").run(request())
    brian = backends.get("numpy").run(replace(request(), precision="float64"))
    assert brian.final["neuron"]["n_spikes"].max() >= 1  # and the comparison says something
    assert brian.final["neuron"]["I_astro"].max() > 0
    for name, state in brian.final.items():
        for variable, expected in state.items():
            scale = max(np.abs(expected).max(), 1e-30)
            found = ours.final[name][variable]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale, err_msg=variable)
    for name, record in brian.records.items():
        np.testing.assert_allclose(ours.records[name].times, record.times, atol=1e-12)
        np.testing.assert_array_equal(ours.records[name].indices, record.indices)
        for variable, expected in record.values.items():
            scale = max(np.abs(expected).max(), 1e-30)
            found = ours.records[name].values[variable]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale)


@needs_lava
@pytest.mark.parametrize("messages", [False, True], ids=["fast", "messages"])
def test_fixed_point_equals_the_oracle_bit_for_bit(messages):
    asked = request("fixed", **{"model.duration": "4 ms" if messages else "6 ms"})
    ours = backends.get("lava-messages" if messages else "lava").run(asked)
    expected = oracle(asked, messages)
    assert expected["neuron"]["n_spikes"].max() >= 1
    for name, state in ours.final.items():
        for variable, values in state.items():
            np.testing.assert_array_equal(values, expected[name][variable], err_msg=variable)
    assert ours.details["lava"]["saturated"] == {"neuron": 0, "astrocyte": 0}


@needs_lava
def test_messages_in_float_equal_their_reference():
    asked = request(**{"model.duration": "2 ms"})
    ours = backends.get("lava-messages").run(asked)
    expected = oracle(asked, True)
    np.testing.assert_allclose(ours.final["neuron"]["U"], expected["neuron"]["U"], atol=1e-10)


@needs_lava
def test_a_run_is_reproducible_and_the_seed_counts():
    one, again = (backends.get("lava").run(request("fixed")) for _ in range(2))
    other = backends.get("lava").run(request("fixed", seed=2))
    np.testing.assert_array_equal(one.final["neuron"]["U"], again.final["neuron"]["U"])
    assert not np.array_equal(one.final["neuron"]["U"], other.final["neuron"]["U"])


@needs_lava
@pytest.mark.parametrize(
    ("model", "reason"),
    [("tripartite_coba", "refractory"), ("noise_induced_excitability", None)],
)
def test_what_lava_cannot_run_is_said_before_anything_is_built(model, reason):
    said = backends.get("lava").unsupported(load(model))
    assert (said is None) if reason is None else (reason in said)


def test_without_lava_one_line_says_what_to_type(monkeypatch):
    monkeypatch.setattr(_compat.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"lava-nc is not installed: pip install .*lava"):
        backends.get("lava").run(request())
    assert "\n" not in backends.get("lava").unsupported(load("noise_induced_memory"))


# ------------------------------------------------------------------------ fixed point and float


def n16(sigma2: str, duration: str):
    settings = {
        "population.neuron.shape": "[16, 16]",
        "population.astrocyte.shape": "[5, 5]",
        "model.duration": duration,
        "sigma2": sigma2,
    }
    model = load("noise_induced_memory", settings)
    image = np.zeros((16, 16), bool)
    image[4:12, 4:12] = True
    return model, lower(model, {"train": image, "test": image})


def finish(run: ProgramRun) -> ProgramRun:
    """As the fast processes do: 50 steps of the neurons between two exchanges."""
    program = run.program
    while run.step < program.steps:
        step = run.step
        run.advance()
        run.populations["neuron"].advance_many(step + 1, 49)
        run.step = step + 50
    return run


def spikes_and_last(run: ProgramRun, formats=None):
    arrays = run.populations["neuron"].arrays
    found = (arrays["n_spikes"], arrays["last_above"])
    if formats is None:
        return found
    return tuple(
        formats[n].decode(a) for n, a in zip(("n_spikes", "last_above"), found, strict=True)
    )


@pytest.mark.slow
def test_without_noise_fixed_point_has_floats_rate_and_last_spikes():
    model, program = n16("0", "100 ms")
    fixed = recorded.formats(model, program, 0)
    rate, last = spikes_and_last(finish(native(program, 0, False)))
    found, found_last = spikes_and_last(
        finish(native(fixed.program, 0, True)), fixed.formats["neuron"]
    )
    assert rate.sum() > 1000
    assert abs(found.sum() / rate.sum() - 1) < 1e-3
    assert np.abs(found_last - last).max() < 0.1e-3


SIXTEEN_BITS = """
[model]
extends = "noise_induced_memory"
[population.neuron]
shape = [16, 16]
[population.astrocyte]
shape = [5, 5]
[population.neuron.range]
U = ["-8", "8", 16, "ROUNDING"]
V = ["-8", "8", 16, "ROUNDING"]
"""


def test_sixteen_bits_keep_the_rate_when_they_are_rounded_at_random(tmp_path):
    """To nearest, V's slow steps are lost and the lattice falls silent."""
    _, program = n16("0", "100 ms")
    rate = spikes_and_last(finish(native(program, 0, False)))[0].sum()
    found = {}
    for rounding in ("nearest", "stochastic"):
        path = tmp_path / f"{rounding}.toml"
        path.write_text(SIXTEEN_BITS.replace("ROUNDING", rounding), encoding="utf-8")
        model = load(str(path), {"model.duration": "100 ms", "sigma2": "0"})
        image = np.zeros((16, 16), bool)
        image[4:12, 4:12] = True
        lowered = lower(model, {"train": image, "test": image})
        fixed = recorded.formats(model, lowered, 0)
        run = finish(native(fixed.program, 0, True))
        found[rounding] = spikes_and_last(run, fixed.formats["neuron"])[0].sum() / rate
    assert abs(found["stochastic"] - 1) < 1e-3
    assert found["nearest"] < 0.5


@pytest.mark.slow
def test_with_noise_rates_agree_within_their_standard_errors():
    """20 seeds of each, driven at 0 to 6 ms; the noises differ, so only statistics can agree."""
    model, program = n16("0.12", "20 ms")
    fixed = recorded.formats(model, program, 0)
    floats = [spikes_and_last(finish(native(program, s, False)))[0].sum() for s in range(20)]
    integers = [
        spikes_and_last(finish(native(fixed.program, s, True)), fixed.formats["neuron"])[0].sum()
        for s in range(20)
    ]
    assert min(floats) > 0
    assert stats.ttest_ind(floats, integers, equal_var=False).pvalue > 0.01


def at_random(model):
    """Every state of every population in 16 bits, rounded at random."""
    populations = {
        n: replace(p, ranges={v: replace(r, bits=16, stochastic=True) for v, r in p.ranges.items()})
        for n, p in model.populations.items()
    }
    return replace(model, populations=populations)


@pytest.mark.parametrize("kind", ["float", "fixed", "stochastic"])
def test_the_generated_loops_equal_their_references(kind):
    fixed = kind != "float"
    asked = request("fixed" if fixed else "float", **{"model.duration": "2 ms"})
    program = lower(asked.model, asked.images)
    if fixed:
        model = at_random(asked.model) if kind == "stochastic" else asked.model
        program = recorded.formats(model, program, 1).program
    slow = in_integers(program, 1) if fixed else in_floats(program, 1)
    fast = native(program, 1, fixed)
    while slow.step < program.steps:
        slow.advance()
        fast.advance()
    for name, population in slow.populations.items():
        for variable, expected in population.arrays.items():
            found = fast.populations[name].arrays[variable]
            if fixed:
                np.testing.assert_array_equal(found, expected, err_msg=variable)
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
