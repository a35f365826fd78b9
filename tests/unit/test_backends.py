"""The choice of a backend, before anything is built."""

from __future__ import annotations

import pytest

from neuroglia_snn import backends, toolchain
from neuroglia_snn.backends.brian import project
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError


@pytest.mark.parametrize("name", ["noise_induced_memory", "tripartite_coba"])
def test_auto_takes_the_fused_loop(name):
    assert backends.choose("auto", load(name)).name == "fused"


def test_without_a_compiler_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(toolchain, "compiler", lambda: None)
    with pytest.raises(BackendError, match=r"'fused' cannot run .*apt-get install g\+\+"):
        backends.choose("auto", load("tripartite_coba"))


def test_an_unknown_backend_names_the_nearest():
    with pytest.raises(BackendError, match=r"did you mean 'fused'.*auto, fused, cpp, numpy"):
        backends.choose("fusd", load("noise_induced_memory"))


def test_a_build_is_found_again_whatever_the_order_of_its_clocks(tmp_path):
    """Brian2 writes what it does for every clock of a set in the order of that set."""
    lines = [f"    network.add(&{name}_clock, NULL);" for name in "ab"]
    lines += [f"    _array_{name}_clock_timestep[0] = 0;" for name in "ab"]
    work = ["    network.add(&a_clock, _run_one);", "    network.add(&b_clock, _run_two);"]

    def written(text: list[str]) -> bytes:
        return project._canonical("\n".join(text).encode())

    swapped = [lines[n] for n in (1, 0, 3, 2)]
    assert written([*lines, *work]) == written([*swapped, *work])
    assert written([*lines, *work]) != written([*lines, *work[::-1]])
