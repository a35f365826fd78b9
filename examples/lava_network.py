"""Lava's own neurons and synapses around a population of a model file, watched by Lava's monitors and saved.

Two of Lava's LIF neurons, one regular and one faster, drive FitzHugh-Nagumo neurons through Lava's Dense; these drive
another LIF, by synapses that learn by Lava's rule of pairs of spikes (its learning engine). Run it in floating point or in fixed point: the network is the same.

    python examples/lava_network.py fixed_pt
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from neuroglia_snn.backends.lava import process  # before lava, on Python 3.11 and newer

from lava.magma.core.run_conditions import RunSteps  # isort: skip
from lava.magma.core.run_configs import Loihi2SimCfg  # isort: skip
from lava.proc.dense.process import Dense, LearningDense  # isort: skip
from lava.proc.learning_rules.stdp_learning_rule import STDPLoihi  # isort: skip
from lava.proc.lif.process import LIF  # isort: skip
from lava.proc.monitor.process import Monitor  # isort: skip
from lava.utils.serialization import load, save  # isort: skip

STEPS = 600


def network(fixed: bool) -> tuple[LIF, Dense, object, LearningDense, LIF]:
    """Two LIF neurons, eight units of a model, and a LIF neuron that listens to all of them."""
    threshold = (
        1 if fixed else 64
    )  # Lava shifts the threshold and what arrives by 6 bits in fixed point
    source = LIF(shape=(2,), vth=threshold, du=0, dv=0, bias_mant=np.array([16, 64]))
    weights = np.zeros((8, 2))
    weights[:4, 0], weights[4:, 1] = 60, 60
    into = Dense(weights=weights)
    units = process("noise_induced_memory", "neuron", shape=8, sigma2=0.0, name="units")
    rule = STDPLoihi(
        learning_rate=0.125, A_plus=1, A_minus=-1, tau_plus=20, tau_minus=20, t_epoch=4
    )
    out = LearningDense(weights=np.full((1, 8), 2), learning_rule=rule)
    sink = LIF(shape=(1,), vth=10, du=4095 if fixed else 1.0, dv=0)
    source.s_out.connect(into.s_in)
    into.a_out.connect(units.a_I_app)
    units.s_out.connect(out.s_in)
    out.a_out.connect(sink.a_in)
    sink.s_out.connect(out.s_in_bap)
    return source, into, units, out, sink


def main(tag: str, folder: Path) -> dict[str, np.ndarray]:
    """Save the network, load it, run it, and save what its monitors saw."""
    save([*network(tag == "fixed_pt")], str(folder / "network.pickle"))
    (_, _, units, out, sink), _ = load(str(folder / "network.pickle"))
    monitors = {}
    for name, target in {"U": units.U, "spikes": units.s_out, "heard": sink.s_out}.items():
        monitors[name] = Monitor()
        monitors[name].probe(target, STEPS)
    units.run(condition=RunSteps(STEPS), run_cfg=Loihi2SimCfg(select_tag=tag))
    try:
        weights = out.weights.get()
        seen = {
            name: next(iter(next(iter(monitor.get_data().values())).values()))
            for name, monitor in monitors.items()
        }
    finally:
        units.stop()
    if tag == "fixed_pt":
        seen["U"] = units.formats["U"].decode(seen["U"])
    seen["weights"] = weights
    np.savez(folder / "seen.npz", **seen)
    return seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        found = main(*(sys.argv[1:] or ["fixed_pt"]), Path(temporary))
    print("highest U of each unit", found["U"].max(axis=0).round(3))
    print("steps above threshold", found["spikes"].sum(axis=0))
    print("spikes of the neuron that listens", found["heard"].sum())
    print("weights that it has learnt, from 2", found["weights"].round(2))
