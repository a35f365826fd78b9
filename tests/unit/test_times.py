"""What `check` says of times, initial values, stimuli, pathways, events and variants."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroglia_snn import backends, checks
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ModelError

MODEL = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "5 ms"
[parameters]
d = "0.25 ms"
w = { value = "0.5", min = "0" }
[population.a]
size = 4
equations = '''
dv/dt = -v/(5*ms) : 1
x : 1
b : boolean
n : integer
'''
threshold = "v > 1"
reset = "v = 0"
[population.a.initial]
v = "0.1*i"
[population.slow]
size = 4
dt = "1 ms"
equations = "dy/dt = w/ms : 1"
threshold = "y > 4*d/ms"
reset = "y = 0"
[projection.p]
from = "a"
to = "a"
connect = { rule = "all" }
equations = "s : 1"
on_pre = "x_post += s"
[projection.q]
from = "slow"
to = "a"
connect = { rule = "all" }
on_pre = "x += 1"
[stimulus.drive]
to = "a"
variable = "x"
amplitude = "1"
start = "1 ms"
duration = "1 ms"
[record.r]
population = "a"
events = true
"""


def findings(folder: Path, *edits: tuple[str, str]) -> list[checks.findings.Finding]:
    text = MODEL
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "m.toml"
    file.write_text(text)
    return checks.check_file(str(file))


def test_the_model_itself_is_right(tmp_path):
    assert findings(tmp_path) == []


DRIVE, PATHWAY = 'start = "1 ms"\nduration = "1 ms"', 'on_pre = "x_post += s"'
RESET = 'reset = "v = 0"'

#: Edits of the model, and what the one error says.
REFUSED: dict[str, tuple[list[tuple[str, str]], str]] = {
    "initial values in a circle": (
        [('v = "0.1*i"', 'v = "x"\nx = "2*v"')], "initial values go in a circle: 'v' reads 'x', 'x' reads 'v'"),
    "an initial value of itself": ([('v = "0.1*i"', 'v = "v + 1"')], "'v' reads 'v'"),
    "a window between steps": (
        [(DRIVE, 'start = "1.03 ms"\nduration = "0.05 ms"')], "on from 1.03 ms for 0.05 ms, between two steps"),
    "a later window between steps": (
        [(DRIVE, 'duration = "0.05 ms"\nperiod = "0.15 ms"\ncount = 3')], "on from 0.15 ms for 0.05 ms"),
    "a stimulus into an integer": ([('variable = "x"', 'variable = "n"')], "adds to 'n', which is integer"),
    "a random amplitude": ([('amplitude = "1"', 'amplitude = "rand()"')], "drawn anew wherever 'x' stands"),
    "a linked variable": ([("x : 1\n", "x : 1 (linked)\n")], "the flag 'linked': say to what, as in"),
    "two draws": ([('"0.1*i"', '"rand() - rand()"')], "calls 'rand' more than once"),
    "a delay between steps of a slow source": (
        [('on_pre = "x += 1"', 'on_pre = "x += 1"\ndelay = "1.5 ms"')], "is no whole multiple of 1 ms, the step of"),
    "a delay by a parameter": (
        [('on_pre = "x += 1"', 'on_pre = "x += 1"\ndelay = "d"')], "delay pre = 'd' is no whole multiple of 1 ms"),
    "a delay by an expression": (
        [('on_pre = "x += 1"', 'on_pre = "x += 1"\ndelay = "1*ms*i"')], "may be no whole multiple of 1 ms"),
    "a negative delay": ([(PATHWAY, f'{PATHWAY}\ndelay = "2*ms - 10*d"')], "must not be negative"),
    "the last synapse decides": ([(PATHWAY, 'on_pre = "x_post = s"')], "'x_post = s' depends on which"),
    "a synapse reads a sum": ([(PATHWAY, 'on_pre = "x += s; s = x"')], "'s = x' depends on which"),
    "two names of one variable": ([(PATHWAY, 'on_pre = "x_post += x_pre"')], "which the pathway also names 'x_pre'"),
    "an event that is not there": ([("events = true", 'events = "burst"')], "wants the event 'burst'"),
    "a stride of events": ([("events = true", "events = true\nstride = 2")], "'stride' means nothing in record 'r'"),
}  # fmt: skip


@pytest.mark.parametrize(("edits", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_one_sentence_says_what_is_wrong(tmp_path, edits, words):
    (finding,) = findings(tmp_path, *edits)
    assert finding.severity == "error" and words in finding.message


#: Edits of the model, and what the one note says.
NOTED: dict[str, tuple[list[tuple[str, str]], str]] = {
    "a duration between steps": (
        [('"5 ms"', '"5.05 ms"'), ('[population.slow]\nsize = 4\ndt = "1 ms"', "[population.slow]\nsize = 4")],
        "duration = 5.05 ms is no whole multiple of dt (0.1 ms): 51 steps are made, to 5.1 ms"),
    "a refractory period": ([(RESET, f'{RESET}\nrefractory = "0.35 ms"')], "rounds it down, to 0.3 ms"),
    "a refractory period by a parameter": ([(RESET, f'{RESET}\nrefractory = "d"')], "down, to 0.2 ms"),
    "a refractory period below a step": ([(RESET, f'{RESET}\nrefractory = "0.05 ms"')], "down, to 0 ms"),
    "a delay between steps": ([(PATHWAY, f'{PATHWAY}\ndelay = "0.28 ms"')], "it is rounded to 0.3 ms"),
}  # fmt: skip


@pytest.mark.parametrize(("edits", "words"), NOTED.values(), ids=NOTED.keys())
def test_what_is_rounded_is_noted(tmp_path, edits, words):
    (finding,) = findings(tmp_path, *edits)
    assert finding.severity == "warning" and words in finding.message


#: Edits of the model that are right, though like some that are not.
RIGHT: dict[str, list[tuple[str, str]]] = {
    "a duration of a step more": [('"5 ms"', '"5.0000001 ms"')],
    "a refractory condition": [(RESET, f'{RESET}\nrefractory = "v > 0.3"')],
    "a whole refractory period": [(RESET, f'{RESET}\nrefractory = "0.3 ms"')],
    "a whole delay of a slow source": [('on_pre = "x += 1"', 'on_pre = "x += 1"\ndelay = "3 ms"')],
    "a short window on a step": [(DRIVE, 'start = "1 ms"\nduration = "0.05 ms"')],
    "one synapse a unit": [
        (PATHWAY, 'on_pre = "x_post = s"'), ('{ rule = "all" }', '{ rule = "one-to-one" }')],
    "the same for all synapses": [(PATHWAY, 'on_pre = "x_post = t/ms"')],
    "in place": [(PATHWAY, 'on_pre = "s = clip(s + v_post, 0, 1); x_post += s"')],
}  # fmt: skip


@pytest.mark.parametrize("edits", RIGHT.values(), ids=RIGHT.keys())
def test_what_is_right_gives_no_word(tmp_path, edits):
    assert findings(tmp_path, *edits) == []


def test_numpy_refuses_synapses_that_must_act_one_after_the_other(tmp_path):
    """Twice ``v += a*(1 - v)`` is not once with 2*a; Brian2's NumPy works both out from the same v."""
    assert findings(tmp_path, (PATHWAY, 'on_pre = "v += 0.5*(1 - v)"')) == []
    model = load(str(tmp_path / "m.toml"))
    said = backends.get("numpy").unsupported(model)
    assert said and said.startswith("projection 'p': 'v += 0.5*(1 - v)' reads what")
    assert backends.get("cpp").unsupported(model) is None


# ------------------------------------------------------------------------ variants


def variant(folder: Path, text: str, base: str = MODEL) -> Path:
    (folder / "base.toml").write_text(base)
    path = folder / "variant.toml"
    path.write_text(f'[model]\nextends = "base.toml"\n{text}')
    return path


def test_another_rule_replaces_all_of_connect(tmp_path):
    base = MODEL.replace('{ rule = "all" }', '{ rule = "condition", p = 0.5 }', 1)
    path = variant(tmp_path, '[projection.p]\nconnect = { rule = "one-to-one" }\n', base)
    assert load(str(path)).projections["p"].connect == {"rule": "one-to-one"}
    path = variant(tmp_path, "[projection.p]\nconnect = { condition = 'i != j' }\n", base)
    rule = {"rule": "condition", "p": 0.5, "condition": "i != j"}
    assert load(str(path)).projections["p"].connect == rule


def test_a_size_replaces_a_shape_and_a_shape_a_size(tmp_path):
    path = variant(tmp_path, "[population.a]\nshape = [2, 2]\n")
    assert load(str(path)).populations["a"].shape == (2, 2)
    base = MODEL.replace("size = 4", "shape = [2, 2]", 1)
    path = variant(tmp_path, "[population.a]\nsize = 3\n", base)
    assert load(str(path)).populations["a"].shape == (3,)


def test_another_kind_of_experiment_replaces_the_first(tmp_path):
    base = MODEL + '[experiment]\nkind = "mean-field"\nrecord = "r"\nvariable = "v"\nspike = "w"\n'
    path = variant(tmp_path, '[experiment]\nkind = "canonical-network"\ntrials = 3\n', base)
    assert load(str(path)).experiment == {"kind": "canonical-network", "trials": 3}


def test_a_wrong_setting_is_blamed_on_the_setting(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(MODEL)
    with pytest.raises(ModelError, match=r"^--set w=-1: 'w' = -1 is below its minimum 0$"):
        checks.load_checked(str(path), {"w": "-1"})
    with pytest.raises(ModelError, match=r"^--set population\.a\.reset=v = u: unknown symbol 'u'"):
        checks.load_checked(str(path), {"population.a.reset": "v = u"})
    with pytest.raises(ModelError, match=rf"^{path}:\d+: "):
        checks.load_checked(str(path), {"population.a.threshold": "v > 2", "d": "1"})
