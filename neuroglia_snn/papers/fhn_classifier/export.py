"""What NIR, the exchange format of neuromorphic tools, can say of a classifier.

NIR has nodes for weights, leaky integrators and their threshold units; it has none for the equations
of a model file, for tanh or for a sigmoid. So a graph is written in two pieces: up to the weighted input
of the units, and from what is read of their output. Its metadata say what stands between.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroglia_snn.errors import BackendError
from neuroglia_snn.papers.fhn_classifier.networks import Network
from neuroglia_snn.papers.fhn_classifier.setup import Setup


def write_nir(network: Network, asked: Setup, path: Path) -> Path:
    """Write ``input -> w_in -> to_units`` and ``from_units -> w_out -> output`` to a NIR file.

    Raises
    ------
    BackendError
        If the package nir is not installed.
    """
    try:
        import nir
    except ModuleNotFoundError:
        raise BackendError("NIR files need the package 'nir': pip install nir") from None
    w_in, w_out = (w.weight.detach().numpy() for w in (network.w_in, network.w_out))
    system = asked.system
    between = {
        "between": f"to_units -> {asked.alpha:g}*tanh -> {len(w_in)} units -> sigmoid -> from_units",
        "model": system.model.name,
        "equations": system.population.equations,
        "parameters": "; ".join(f"{n} = {v!r}" for n, v in system.parameters.items()),
    }
    nodes = {
        "input": nir.Input({"input": np.array([w_in.shape[1]])}),
        "w_in": nir.Linear(w_in),
        "to_units": nir.Output({"output": np.array([len(w_in)])}),
        "from_units": nir.Input({"input": np.array([w_out.shape[1]])}),
        "w_out": nir.Linear(w_out),
        "output": nir.Output({"output": np.array([len(w_out)])}),
    }
    edges = [("input", "w_in"), ("w_in", "to_units"), ("from_units", "w_out"), ("w_out", "output")]
    nir.write(path, nir.NIRGraph(nodes, edges, metadata=between))
    return path
