"""What ``neuroglia show`` prints holds everything that makes a model's numbers."""

from __future__ import annotations

from neuroglia_snn.catalog.load import load
from neuroglia_snn.catalog.show import describe, differences

_MODEL = """
[model]
title = "two of a kind"
duration = "10 ms"
dt = "0.1 ms"
precision = "float32"

[population.cell]
shape = [3]
equations = "dv/dt = -v/(5*ms) + drive(t)/ms : 1"
threshold = '''
v > 1  # above
and v < 9
'''
reset = '''
v = (0 +
     0)  # back
v -= 0.5
'''
regularly = [{ code = "v = v + 0.1", dt = "2 ms" }]

[population.cell.events.half]
condition = "v > 0.5"
action = "v += 0.01"

[population.cell.initial]
v = "0.1*i"

[population.cell.range]
v = [-8, 8, 16, "stochastic"]

[projection.ring]
from = "cell"
to = "cell"
connect = { rule = "condition", condition = "i != j" }
dt = "0.5 ms"
equations = "w : 1"
on_pre = { up = "v_post += w", down = "v_post -= w/2" }
on_event = { down = "half" }
delay = { up = "1 ms" }

[projection.ring.initial]
w = "0.25"

[table.drive]
values = [0, 1]
dt = "5 ms"

[record.v]
population = "cell"
variables = ["v"]
every = "1 ms"
reduce = "mean"
"""


def test_a_description_leaves_nothing_out(tmp_path):
    file = tmp_path / "kind.toml"
    file.write_text(_MODEL)
    lines = [line.strip() for line in describe(load(str(file))).splitlines()]
    for line in (
        "10 ms in steps of 0.1 ms",
        "precision float32",
        "threshold: v > 1 and v < 9",
        "reset: v = 0 + 0 ; v -= 0.5",
        "v from -8 to 8 (SI units), 16 bits, rounded stochastically",
        "projection ring: cell -> cell, condition (condition i != j), dt 0.5 ms",
        "event half: v > 0.5",
        "at half: v += 0.01",
        "every 2 ms: v = v + 0.1",
        "initially v = 0.1*i",
        "on up, 1*ms later: v_post += w",
        "on down at half: v_post -= w/2",
        "initially w = 0.25",
        "table drive: 0, 1, 5 ms each",
        "record v: mean of v of cell every 1 ms",
    ):
        assert line in lines, line


def test_a_comment_hides_no_statement():
    text = describe(load("noise_induced_memory"))
    assert "reset: n_spikes += int(t - last_above > 1.5*dt) ; last_above = t" in text
    assert "record traces: U of neuron every 0.2 ms, 1 in 10 rows and columns" in text


def test_nothing_that_is_shown_steers_a_terminal(tmp_path):
    file = tmp_path / "m.toml"
    file.write_text(
        '[model]\nextends = "noise_induced_memory"\ntitle = "a\\u001b]0;b\\u0007\\rc"\n'
        '[parameters]\nb = { value = "2", about = "d\\u009be", source = "f\\u202eg" }\n'
    )
    told = [describe(load(str(file))), "\n".join(differences("noise_induced_memory", str(file)))]
    for text in told:
        assert all(line.isprintable() for line in text.split("\n"))
        assert "a\\x1b]0;b\\x07" in text and "f\\u202eg" in text
