"""What figures of runs show."""

from __future__ import annotations

import pytest

from neuroglia_snn.checks import load_checked
from neuroglia_snn.papers.noise_memory import figures

GRADED = """
[model]
extends = "noise_induced_memory"
title = "Graded"

[parameters]
Ca_half = { value = "0.3 uM", source = "test" }

[population.astrocyte]
equations = "feedback = I_glio*Ca/(Ca + Ca_half)*int(n_delayed >= n_glio) : 1"
"""


def test_the_calcium_threshold_is_drawn_only_where_the_model_uses_it(tmp_path):
    """A variant inherits the parameter; the line of a threshold that nothing crosses misleads."""
    model, _ = load_checked("noise_induced_memory")
    assert figures._threshold(model) == pytest.approx(0.15)
    path = tmp_path / "graded.toml"
    path.write_text(GRADED)
    graded, _ = load_checked(str(path))
    assert "Ca_glio" in graded.parameters and figures._threshold(graded) is None
