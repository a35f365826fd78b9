"""A small valid model as text, and a way to write edited copies of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = '''\
[model]
title = "Small"
noise = "stratonovich"
integrator = "heun"
dt = "0.1 ms"
duration = "10 ms"

[parameters]
tau = { value = "10 ms", min = "0 ms" }
sigma2 = { value = "0.1", min = "0" }
v_th = "1"

[population.cell]
shape = [4, 4]
equations = """
dv/dt = (a - v)/tau + sqrt(sigma2/ms)*v*xi : 1  # drift
a = b + 1 : 1
b : 1
L : 1
"""
threshold = "v > v_th"
reset = "v = 0"

[population.cell.initial]
v = "0.5"

[population.glia]
shape = [1, 1]
equations = """
dc/dt = -c/tau : 1
n : 1
"""
integrator = "euler"

[projection.near]
from = "cell"
to = "cell"
connect = { rule = "lattice", neighbours = 4 }
equations = "L_post = v_pre - v_post : 1 (summed)"

[projection.watch]
from = "cell"
to = "glia"
connect = { rule = "footprint", size = [4, 4], step = [3, 3] }
equations = "n_post = v_pre : 1 (summed)"

[stimulus.pulse]
to = "cell"
variable = "b"
amplitude = "2"
start = "1 ms"
duration = "2 ms"

[record.trace]
population = "cell"
variables = ["v"]
every = "1 ms"
'''

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the small model with ``(old, new)`` edits; each ``old`` must be there."""

    def write(*edits: tuple[str, str], name: str = "m.toml", text: str = SMALL) -> Path:
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
