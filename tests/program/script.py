"""An ordinary Brian2 script: magic and explicit networks, changed and run again, stored, stopped.

``python script.py [target]``, on Brian2's runtime without a target; what it prints is compared.
"""

import sys

from brian2 import (
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    defaultclock,
    magic_network,
    ms,
    network_operation,
    prefs,
    profiling_summary,
    restore,
    run,
    seed,
    set_device,
    start_scope,
    stop,
    store,
)

import neuroglia_snn.brian  # noqa: F401

if sys.argv[1:]:
    set_device("neuroglia", target=sys.argv[1])
prefs.codegen.target = "numpy"
seed(3)

start_scope()
g = NeuronGroup(
    5,
    "dv/dt = (d - v)/(5*ms) : 1\nd : 1",
    threshold="v > 0.8",
    reset="v = 0",
    method="euler",
    name="g",
)
g.d = "1 + i/10"
spikes, states = SpikeMonitor(g), StateMonitor(g, "v", record=True)
network = Network(g, spikes, states)
network.run(5 * ms)
print(spikes.num_spikes, round(states.v[0][-1], 10))
states.active = False
network.run(5 * ms)
s = Synapses(g, g, "w : 1", on_pre="v_post += w", name="s")
s.connect(condition="i != j")
s.w = 0.01
network.add(s)
states.active = True
network.run(5 * ms)
s.w = "0.02*i"
network.run(5 * ms)
print(spikes.num_spikes, len(states.t), states.t[-1], round(states.v[2][-1], 10), s.w[-1])
network.remove(s)
network.run(5 * ms, report="stderr", profile=True)
print(spikes.num_spikes, sorted(name for name, _ in network.profiling_info))
print(str(profiling_summary(network)).splitlines()[0])
held = network.get_states()
print(len(held), round(held["g"]["v"][0], 10))
network.store("here")
network.run(3 * ms)
after = g.v[:].copy()
network.restore("here")
network.run(3 * ms)
print((after == g.v[:]).all(), network.t)


@network_operation(dt=1 * ms)
def halt(t):
    if t > 30 * ms:
        stop()


network.add(halt)
network.run(100 * ms)
print(network.t, defaultclock.dt)

start_scope()
h = NeuronGroup(3, "dx/dt = -x/(5*ms) : 1", method="exact")
h.x = 1
recorded = StateMonitor(h, "x", record=0)
run(2 * ms)
h.x = 2
run(2 * ms)
print(recorded.x[0][[0, -1]], magic_network.t)
store()
run(1 * ms)
restore()
print(h.x[:], magic_network.t)
start_scope()
p = NeuronGroup(2, "dy/dt = 1*Hz : 1", method="euler")
run(1 * ms)
print(p.y[:])
try:
    q = NeuronGroup(2, "dy/dt = foo*Hz : 1", method="euler")
    run(1 * ms)
except Exception as error:
    print(type(error).__name__)
