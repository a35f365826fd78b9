"""The choice of a backend, before anything is built."""

from __future__ import annotations

import pytest

from neuroglia_snn import backends, load
from neuroglia_snn.errors import BackendError


@pytest.mark.parametrize(
    "name", ["noise_induced_memory", "noise_induced_memory_tonic", "noise_induced_excitability"]
)
def test_auto_takes_the_fused_loop(name):
    backend, said = backends.choose("auto", load(name))
    assert (backend.name, said) == ("fused", None)


def test_auto_falls_back_and_says_why():
    backend, said = backends.choose("auto", load("tripartite_coba"))
    assert backend.name == "cpp"
    assert "fused" in said and "refractory period ('tau_ref')" in said


def test_a_backend_that_is_asked_for_is_not_replaced():
    with pytest.raises(BackendError, match=r"'fused' cannot run 'tripartite_coba': .*refractory"):
        backends.choose("fused", load("tripartite_coba"))


def test_an_unknown_backend_names_the_nearest():
    with pytest.raises(BackendError, match=r"did you mean 'fused'.*auto, fused, cpp, numpy"):
        backends.choose("fusd", load("noise_induced_memory"))
