"""Paper 1, Fig. 2 b-d: noise quiets the mean field of a 20 x 20 lattice."""

from __future__ import annotations

import pytest

from neuroglia_snn.options import Options
from neuroglia_snn.runs import run


@pytest.mark.parametrize(("sigma2", "spikes"), [("0", {4}), ("0.065", {0, 1, 2}), ("0.09", {0})])
def test_mean_field_spikes_fall_with_noise(tmp_path, sigma2, spikes):
    summary = run(
        "noise_induced_excitability", tmp_path, Options(overrides={"sigma2": sigma2})
    ).summary
    assert summary["results"]["mean_field_spikes"] in spikes
