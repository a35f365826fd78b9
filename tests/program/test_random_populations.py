"""Networks of several populations at random: on target 'lava' they are, to the bit, what they are on 'cpp'."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    PoissonGroup,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
)
from program.test_lava import require_equal

from neuroglia_snn.lava import compat

pytestmark = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))

ON_PRE = (
    "v_post += w",
    "v_post += w*x; x *= 0.9",
    "u_post = clip(u_post + w, 0, 1); v_post += 0.1*u_post",
    "u_post += w*rand()",
    "w = clip(w + 0.01*v_post, 0, 1); v_post += w",
    "v_post += w*s_pre",
    "count_post += 1; u_pre += 0.1",
)
ON_POST = (None, None, "w += 0.01", "x += 0.1*v_post")
WHEN = ("start", "end", "after_resets", "before_synapses")


class Made:
    """A network of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._least = int(self._random.integers(0, 8))  # delay in steps
        self.neurons: list[NeuronGroup] = []
        self._objects: list = []
        groups = [self._group(number) for number in range(self._random.integers(2, 5))]
        if not self.neurons:
            groups.append(self._neurons(9, "last", 0.1 * ms))
        for number in range(self._random.integers(1, 6)):
            self._synapses(self._any(groups), self._any(self.neurons), f"synapses_{number}")
        for number, target in enumerate(self.neurons):
            if self._random.random() < 0.5:
                self._gap_junctions(self._any(self.neurons), target, f"gaps_{number}")
        for number, group in enumerate(groups):
            self._monitors(group, number)
        self._objects += groups

    def run(self) -> Network:
        """Run the network, one to three times."""
        network = Network(self._objects)
        for _ in range(self._random.integers(1, 4)):
            network.run(int(self._random.integers(0, 60)) * 0.1 * ms)
            self.neurons[0].drive = 1.01 * self.neurons[0].drive
        return network

    def _any(self, some):
        return some[self._random.integers(len(some))]

    def _group(self, number: int):
        dt = self._any([0.1, 0.1, 0.1, 0.2, 0.5]) * ms
        size, name = int(self._random.integers(1, 12)), f"group_{number}"
        kind = self._random.random()
        if kind < 0.15:
            return PoissonGroup(size, "(i + 1)*200*Hz", dt=dt, name=name)
        if kind < 0.25:
            units = self._random.integers(0, size, 3)
            return SpikeGeneratorGroup(size, units, [0.2, 1, 2.5] * ms, dt=dt, name=name)
        return self._neurons(size, name, dt)

    def _neurons(self, size: int, name: str, dt) -> NeuronGroup:
        refractory = self._random.random() < 0.5
        flag = " (unless refractory)" if refractory else ""
        group = NeuronGroup(
            size,
            f"""dv/dt = (drive + current - v)/(5*ms) : 1{flag}
            drive : 1\ncurrent : 1\nu : 1\ncount : integer\ns = 2*v : 1""",
            threshold="v > 0.9",
            reset="v = 0; count += 1",
            refractory=1 * ms if refractory else False,
            method="euler",
            dt=dt,
            name=name,
        )
        group.drive = self._random.uniform(0.5, 3, size)
        group.v = self._random.uniform(0, 0.9, size)
        if self._random.random() < 0.3:
            group.run_regularly("drive = 0.99*drive + 0.01*rand()", dt=0.5 * ms)
        self.neurons.append(group)
        return group

    def _pairs(self, source, target) -> tuple[np.ndarray, np.ndarray]:
        linked = self._random.random((len(source), len(target))) < 0.6
        linked[0, 0] = True
        return np.nonzero(linked)

    def _synapses(self, source, target, name: str) -> None:
        on_pre = self._any(ON_PRE)
        if not isinstance(source, NeuronGroup) or "drive" not in source.variables:
            on_pre = on_pre.replace("s_pre", "1").replace("u_pre", "x")
        apart = self._random.random() < 0.6
        delay = (self._least + int(self._random.integers(0, 4))) * 0.1 * ms
        made = Synapses(
            source,
            target,
            "w : 1\nx : 1",
            on_pre=on_pre,
            on_post=self._any(ON_POST),
            delay=None if apart else delay,
            clock=None if self._random.random() < 0.5 else target.clock,
            name=name,
        )
        i, j = self._pairs(source, target)
        made.connect(i=i, j=j)
        made.w, made.x = self._random.uniform(0, 0.4, len(i)), 1
        if apart and self._random.random() < 0.9:
            made.pre.delay = f"((i + j) % 7 + {self._least})*0.1*ms"
        self._objects.append(made)

    def _gap_junctions(self, source, target, name: str) -> None:
        equations = "w : 1\ncurrent_post = w*(v_pre - v_post) : 1 (summed)"
        made = Synapses(source, target, equations, name=name)
        i, j = self._pairs(source, target)
        made.connect(i=i, j=j)
        made.w = self._random.uniform(0, 0.1, len(i))
        self._objects.append(made)

    def _monitors(self, group, number: int) -> None:
        chosen = self._random.random(3)
        if chosen[0] < 0.6:
            self._objects.append(SpikeMonitor(group, name=f"spikes_{number}"))
        if chosen[1] < 0.3:
            self._objects.append(PopulationRateMonitor(group, name=f"rate_{number}"))
        if chosen[2] < 0.5 and group in self.neurons:
            dt, when = self._any([0.1, 0.2, 0.5]) * ms, self._any(WHEN)
            record = True if self._random.random() < 0.5 else [0]
            name = f"states_{number}"
            self._objects.append(
                StateMonitor(group, ["v", "s"], record=record, dt=dt, when=when, name=name)
            )


@pytest.mark.parametrize(
    "seed", [3, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in range(100, 130))]
)
def test_populations_at_random_are_equal(seed):
    require_equal(lambda: Made(seed).run())
