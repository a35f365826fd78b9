"""A run in fixed point says how far from floating point it is, and warns where that is too far."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuroglia_snn import Options, lowering, run
from neuroglia_snn.backends.lava import _compat
from neuroglia_snn.catalog.load import load
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.native import build, deviation

pytestmark = pytest.mark.skipif(build.missing() is not None, reason=str(build.missing()))

#: Bursting exponential integrate-and-fire unit (after Naud et al., Biol. Cybern. 99, 2008): the
#: exponential is up to 1e11 where the voltage is cut off.
ADEX = """
[model]
title = "AdEx"
integrator = "euler"
dt = "0.1 ms"
duration = "600 ms"
[parameters]
c_m = "200 pF"
g_l = "10 nS"
e_l = "-58 mV"
v_t = "-50 mV"
d_t = "2 mV"
a = "2 nS"
tau_w = "120 ms"
b = "100 pA"
v_r = "-46 mV"
i_stim = "210 pA"
[population.neuron]
size = 1
equations = '''
dvm/dt = (g_l*(e_l - vm) + g_l*d_t*exp((vm-v_t)/d_t) + i_stim - w)/c_m : volt
dw/dt  = (a*(vm - e_l) - w)/tau_w : amp
'''
threshold = "vm > 0*mV"
reset = "vm = v_r; w += b"
[population.neuron.initial]
vm = "e_l"
[population.neuron.range]
vm = ["-75 mV", "1 mV"]
w = ["-100 pA", "600 pA"]
[record.states]
population = "neuron"
variables = ["vm", "w"]
"""

NOISY = """
[model]
noise = "ito"
integrator = "euler-maruyama"
dt = "0.1 ms"
duration = "200 ms"
[population.a]
size = 10
equations = "dx/dt = (0.6 - x)/(10*ms) + 0.9*xi/sqrt(10*ms) : 1"
threshold = "x > 1"
reset = "x = 0"
range = { x = ["-8", "8", BITS] }
"""


def compared(tmp_path, text: str, **settings):
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    model = load(str(path), settings)
    program = lowering.lower(model, {})
    fixed = recorded.formats(model, program, 1)
    return deviation.compare(program, fixed, 1, False), fixed


def test_an_exponential_that_runs_away_keeps_its_small_values(tmp_path):
    found, _ = compared(tmp_path, ADEX)
    exact, whole = found.events["neuron"]
    assert exact == 11 and abs(whole - 11) <= 1
    assert not found.warnings()
    w = found.courses["neuron"]["w"]
    assert w.rms < 0.15 * w.spreads[0]


def test_too_few_bits_are_said_with_the_variable_and_the_numbers(tmp_path):
    found, _ = compared(tmp_path, ADEX.replace('["-75 mV", "1 mV"]', '["-75 mV", "1 mV", 10]'))
    (said,) = found.warnings()
    assert "population 'neuron'" in said and "'vm'" in said and "in floating point 11" in said


def test_the_noise_is_the_same_in_both(tmp_path):
    found, fixed = compared(tmp_path, NOISY.replace("BITS", "24"))
    x = found.courses["a"]["x"]
    assert found.events["a"][0] > 20 and x.spreads[0] > 0.2
    assert x.rms < 0.05 * x.spreads[0] and not found.warnings() and not fixed.standing
    rough, _ = compared(tmp_path, NOISY.replace("BITS", "7"))
    assert rough.courses["a"]["x"].rms > 5 * x.rms


def test_the_course_of_a_variable_is_numpys(tmp_path):
    generator = np.random.default_rng(0)
    exact, found = generator.normal(5.0, 2.0, (2, 30, 4))
    course = deviation.Course()
    for a, b in zip(exact, found, strict=True):
        course.add(a, b)
    assert course.means == pytest.approx([exact.mean(), found.mean()])
    assert course.spreads == pytest.approx([exact.std(), found.std()])
    assert course.rms == pytest.approx(np.sqrt(((exact - found) ** 2).mean()))


@pytest.mark.skipif(_compat.missing() is not None, reason=str(_compat.missing()))
def test_the_summary_of_a_run_has_it_and_the_user_is_warned(tmp_path, capfd):
    path = tmp_path / "m.toml"
    path.write_text(ADEX, encoding="utf-8")
    options = Options(backend="lava", precision="fixed", overrides={"model.duration": "100 ms"})
    summary = run(path, tmp_path / "out", options)
    said = summary["lava"]["against_float"]
    assert said["compared_ms"] == pytest.approx(100)
    assert said["events"]["neuron"] == {"float": 3, "fixed": 3}
    assert set(said["states"]["neuron"]) == {"vm", "w"}
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["lava"]["warnings"] == []
    assert "fixed point" not in capfd.readouterr().err
    slow = ADEX.replace('"120 ms"', '"120 second"').replace('"600 pA"]', '"600 pA", 16]')
    path.write_text(slow, encoding="utf-8")
    run(path, tmp_path / "slow", options)
    assert "fixed point: 'w' of population 'neuron' changes by at most" in capfd.readouterr().err
