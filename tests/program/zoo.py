"""Small networks, one a feature, and some that mix them: what every target has to agree on.

Each function builds a network, runs it, and returns it. Those of `RANDOM` draw random numbers: targets
of ours agree on them exactly, Brian2's runtime in distribution.
"""

# ruff: noqa: F841  (Brian2's `collect` finds objects in local variables)
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from brian2 import (
    Clock,
    EventMonitor,
    Hz,
    Network,
    NetworkOperation,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    check_units,
    collect,
    implementation,
    linked_var,
    ms,
    mV,
    second,
    us,
)

DETERMINISTIC: dict[str, Callable[[], Network]] = {}
RANDOM: dict[str, Callable[[], Network]] = {}


def network(make):
    DETERMINISTIC[make.__name__] = make
    return make


def random(make):
    RANDOM[make.__name__] = make
    return make


def _ramp(n: int = 5, **more) -> NeuronGroup:
    """Units that rise at different speeds and fire when they reach 1."""
    flag = " (unless refractory)" if "refractory" in more else ""
    group = NeuronGroup(
        n,
        f"dv/dt = slope : 1{flag}\nslope : Hz",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="ramp",
        **more,
    )
    group.slope = np.linspace(150, 450, n) * Hz
    return group


# ------------------------------------------------------------------------------------ state updates


@network
def exact():
    g = NeuronGroup(4, "dv/dt = (w - v)/(10*ms) : 1\ndw/dt = -w/(30*ms) : 1", method="exact")
    g.v, g.w = [0, 1, 2, 3], [3, -1, 0.5, 0]
    r = StateMonitor(g, ["v", "w"], record=True)
    net = Network(collect())
    net.run(5 * ms)
    return net


def _updater(method):
    def make():
        g = NeuronGroup(
            3,
            "dv/dt = (-v + sin(2*pi*50*Hz*t) + w**3/3)/(10*ms) : 1\ndw/dt = (v - w)/(20*ms) : 1",
            method=method,
        )
        g.v, g.w = [0.1, -1.5, 2], [1, 0.3, -2]
        r = StateMonitor(g, ["v", "w"], record=True)
        net = Network(collect())
        net.run(5 * ms)
        return net

    make.__name__ = method
    return make


for _method in ("euler", "rk2", "rk4", "heun", "milstein"):
    network(_updater(_method))


@network
def exponential_euler():
    g = NeuronGroup(
        6,
        """dv/dt = (10*mV - v)*(1 + n**4)/(5*ms) : volt
        dn/dt = 0.1/ms*exprel((v - 5*mV)/(4*mV))*(1 - n) - 0.2/ms*exp(-v/(20*mV))*n : 1""",
        method="exponential_euler",
    )
    g.v = "(i*4 - 10)*mV"
    r = StateMonitor(g, ["v", "n"], record=[0, 3])
    net = Network(collect())
    net.run(5 * ms)
    return net


@network
def functions():
    g = NeuronGroup(
        9,
        """x : 1
        a : 1\nb : 1\nc : 1\nd : 1\ng : 1\nf : 1\nk : integer\nl : integer\nq : boolean""",
    )
    g.x = np.linspace(-2.1, 2.3, 9)
    g.run_regularly(
        """a = sin(x) + cos(x)*tan(x) + sinh(x) - cosh(x)*tanh(x)
        b = exp(x) + expm1(x) + exprel(x) + log1p(abs(x)) + log(abs(x)) + log10(abs(x)) + sqrt(abs(x))
        c = arctan(x) + arcsin(x/3) + arccos(x/3) + ceil(x) + floor(x)
        d = clip(x, -1, 0.5) + sign(x) + abs(x) + x**2 + x**3 + abs(x)**0.7
        k = int(x*3)
        g = x % 0.7 + x // 0.3
        q = x > 0 and not (x > 1 or x < -1)
        f = 2*int(q) + 3*int(x > 1)
        l = int(x >= 0.0) + i"""
    )
    net = Network(collect())
    net.run(0.1 * ms)
    return net


@network
def integers():
    g = NeuronGroup(
        8, "k : integer\nl : integer\nm : integer\nn : integer\nx : 1\ny : 1\nz : 1\nw : 1"
    )
    g.k = [-7, -3, -1, 0, 1, 2, 5, 9]
    g.l = [2, -2, 3, 4, -3, 7, 5, 2]
    g.run_regularly(
        """m = k // l
        n = k % l
        x = k / l
        y = k*l - k + 1.0/3
        z = (k // 2) / 3
        w = k**2 + 2**abs(l)*1.0"""
    )
    net = Network(collect())
    net.run(0.1 * ms)
    return net


@network
def shared_and_constant():
    g = NeuronGroup(
        3,
        """dv/dt = (drive - v)/tau : 1
        tau : second (constant)
        gain : 1 (shared)
        drive = gain*wave : 1
        wave = sin(2*pi*100*Hz*t) : 1 (shared)
        level : 1 (shared, constant)""",
        method="euler",
    )
    g.tau, g.gain, g.level = [5, 10, 20] * ms, 3, 0.5
    g.run_regularly("gain = gain*0.9 + level", dt=1 * ms)
    r = StateMonitor(g, ["v", "drive", "gain"], record=True)
    net = Network(collect())
    net.run(5 * ms)
    return net


@network
def constant_over_dt():
    g = NeuronGroup(
        2, "dv/dt = (s - v)/(5*ms) : 1\ns = int(v > 0.5)*0.2 + 0.8 : 1 (constant over dt)"
    )
    r = StateMonitor(g, ["v", "s"], record=True)
    net = Network(collect())
    net.run(8 * ms)
    return net


@network
def linked():
    g = NeuronGroup(4, "dx/dt = -x/(10*ms) : 1", method="exact", name="linked_a")
    follows = "y : 1 (linked)\ndz/dt = (y - z)/(3*ms) : 1"
    h = NeuronGroup(3, follows, method="euler", name="linked_b")
    g.x = [1, 2, 3, 4]
    h.y = linked_var(g, "x", index=[3, 0, 0])
    net = Network(collect())
    net.run(3 * ms)
    return net


@network
def linked_to_one_and_to_its_own_group():
    one = NeuronGroup(1, "da/dt = -a/(9*ms) : 1", method="exact", name="linked_one")
    one.a = 2
    follows = "dv/dt = (a - v + w)/(7*ms) : 1\na : 1 (linked)\nw : 1 (linked)"
    ring = NeuronGroup(5, follows, method="euler", name="linked_ring")
    ring.v = [0, 1, 3, -1, 2]
    ring.a = linked_var(one, "a")
    ring.w = linked_var(ring, "v", index=[1, 2, 3, 4, 0])
    net = Network(collect())
    net.run(3 * ms)
    return net


@network
def whole_and_real_numbers():
    g = NeuronGroup(3, "n : integer\nx : 1\ny : 1\nz : integer\nw : 1\nq : 1")
    g.n = [50000, -(2**31), 2**31 - 1]
    g.run_regularly(
        """x = n*100000
        y = n*100000.0
        z = n // (-1)
        w = (n + 1) > n
        q = (0.1*n) // 0.1"""
    )
    net = Network(collect())
    net.run(0.1 * ms)
    return net


@network
def autapses():
    g = NeuronGroup(
        3, "x : 1\ny : 1\ndv/dt = 1/ms : 1", threshold="v > 1.05", reset="v = 0", method="euler"
    )
    s = Synapses(g, g, on_pre="x_pre += 1; x_post += 2")
    s.connect(i=[0, 0, 1, 2, 2], j=[0, 0, 1, 2, 0])
    net = Network(collect())
    net.run(5 * ms)
    return net


@network
def stopped():
    g = _ramp()

    def halt(t):
        if t > 2.5 * ms:
            net.stop()

    op = NetworkOperation(halt, dt=1 * ms)
    net = Network(g, op)
    net.run(10 * ms)
    net.run(0.3 * ms)
    return net


@network
def booleans_in_sums():
    g = NeuronGroup(
        4, "dv/dt = int(on)*20*Hz + int(v > 0.1)*10*Hz : 1\non : boolean", method="euler"
    )
    g.on = [True, False, True, False]
    g.v = [0, 0, 0.2, 0.2]
    net = Network(collect())
    net.run(5 * ms)
    return net


# ----------------------------------------------------------------- events, resets, refractory periods


@network
def refractory_time():
    g = _ramp(refractory=2.1 * ms)
    s, r = SpikeMonitor(g), StateMonitor(g, ["v", "not_refractory"], record=True)
    net = Network(collect())
    net.run(30 * ms)
    return net


@network
def refractory_variable():
    g = NeuronGroup(
        4,
        "dv/dt = 300*Hz : 1\nrest : second",
        threshold="v > 1",
        reset="v = 0; rest += 0.5*ms",
        refractory="rest",
        method="euler",
    )
    g.rest = [0, 1, 2, 3] * ms
    s = SpikeMonitor(g, variables="rest")
    net = Network(collect())
    net.run(30 * ms)
    return net


@network
def refractory_condition():
    g = NeuronGroup(
        4,
        "dv/dt = (1.5 - v)/tau : 1\ntau : second",
        threshold="v > 1",
        refractory="v > 0.8",
        reset="v -= 0.1*int(v > 1.2)",
        method="euler",
    )
    g.tau = [2, 4, 6, 8] * ms
    s = SpikeMonitor(g)
    net = Network(collect())
    net.run(20 * ms)
    return net


@network
def custom_events():
    g = NeuronGroup(
        5,
        "dv/dt = slope : 1\nslope : Hz\ncrossed : integer\nlast : second",
        threshold="v > 1",
        reset="v = 0",
        events={"half": "v > 0.5 and v < 0.6", "late": "t > 5*ms and v > 0.9"},
        method="euler",
    )
    g.slope = np.linspace(100, 500, 5) * Hz
    g.run_on_event("half", "crossed += 1; last = t")
    g.set_event_schedule("late", when="before_resets")
    m = EventMonitor(g, "half", variables=["v", "crossed"])
    n = EventMonitor(g, "late", record=False)
    net = Network(collect())
    net.run(20 * ms)
    return net


@network
def reset_reads_much():
    g = NeuronGroup(
        6,
        "dv/dt = 200*Hz + w*1*Hz : 1\ndw/dt = -w/(20*ms) : 1\nvr : 1\nn : integer",
        threshold="v > 1 + 0.1*w",
        reset="n += 1\nw += 0.5*n\nv = vr + w/100\nvr = vr*0.9",
        method="euler",
    )
    g.v = "i/10.0"
    g.vr = "-i/5.0"
    s = SpikeMonitor(g, variables=["v", "w"], when="after_resets")
    net = Network(collect())
    net.run(30 * ms)
    return net


# --------------------------------------------------------------------------------------- synapses


@network
def one_delay():
    g = _ramp(6)
    h = NeuronGroup(4, "dx/dt = -x/(5*ms) : 1", method="exact")
    s = Synapses(g, h, "w : 1", on_pre="x_post += w", delay=1.23 * ms)
    s.connect(i=[0, 0, 1, 2, 3, 4, 5, 5, 2], j=[0, 3, 2, 2, 1, 0, 3, 3, 1])
    s.w = "1 + i + 0.1*j"
    r = StateMonitor(h, "x", record=True)
    net = Network(collect())
    net.run(20 * ms)
    return net


@network
def delays_apart():
    g = _ramp(6)
    h = NeuronGroup(4, "dx/dt = -x/(5*ms) : 1", method="exact")
    s = Synapses(g, h, "w : 1\ncount : integer", on_pre="x_post += w; count += 1")
    s.connect(condition="(i + j) % 2 == 0")
    s.w = "1 + i + 0.1*j"
    s.delay = "(i*0.35 + j*0.1)*ms"
    r = StateMonitor(h, "x", record=True)
    net = Network(collect())
    net.run(20 * ms)
    return net


@network
def no_delay_and_order():
    g = _ramp(4)
    h = NeuronGroup(4, "x : 1\ny : 1", threshold="x > 3", reset="x = 0")
    s = Synapses(g, h, on_pre={"first": "x_post += 1", "second": "y_post += x_post; x_post *= 1.5"})
    s.connect()
    s.first.order = 2
    m = SpikeMonitor(h)
    net = Network(collect())
    net.run(20 * ms)
    return net


@network
def post_pathway():
    g, h = (
        _ramp(5),
        NeuronGroup(
            3,
            "dv/dt = (2 - v)/(6*ms) : 1",
            threshold="v > 1",
            reset="v = 0",
            method="euler",
            name="h",
        ),
    )
    h.v = [0, 0.3, 0.6]
    s = Synapses(
        g,
        h,
        "w : 1",
        on_pre="v_post += 0.01*w",
        on_post="w += 0.1; slope_pre += 1*Hz",
        delay={"pre": 0.4 * ms, "post": 0.7 * ms},
    )
    s.connect()
    m = SpikeMonitor(h)
    net = Network(collect())
    net.run(20 * ms)
    return net


@network
def plastic():
    g, h = (
        _ramp(10),
        NeuronGroup(
            4,
            "dv/dt = (1.4 - v)/(6*ms) : 1",
            threshold="v > 1",
            reset="v = 0",
            method="exact",
            name="h",
        ),
    )
    s = Synapses(
        g,
        h,
        """w : 1
        da/dt = -a/(10*ms) : 1 (event-driven)
        db/dt = -b/(12*ms) : 1 (event-driven)""",
        on_pre="v_post += w; a += 0.01; w = clip(w + b, 0, 0.1)",
        on_post="b -= 0.012; w = clip(w + a, 0, 0.1)",
    )
    s.connect(condition="i != j")
    s.w = "0.01 + 0.001*i"
    s.pre.delay = "0.1*ms*(i % 3)"
    r = StateMonitor(s, ["w", "a"], record=[0, 7, 20], dt=1 * ms)
    net = Network(collect())
    net.run(40 * ms)
    return net


@network
def plastic_of_many():
    """More synapses of one source than are done at once, adjacent and listed, with targets in common."""
    g = _ramp(7, refractory=1 * ms)
    h = NeuronGroup(
        160,
        "dx/dt = -x/(10*ms) : 1 (unless refractory)\nz : 1",
        threshold="x > 1.5",
        reset="x = 0",
        refractory=2 * ms,
        method="exact",
    )
    s = Synapses(
        g,
        h,
        """w : 1
        dbefore/dt = -before/(4*ms) : 1 (event-driven)
        dafter/dt = -after/(6*ms) : 1 (event-driven)""",
        on_pre="""x_post += w
        before += 0.1
        w = clip(w + after, 0, 0.6)
        z_post += before*w""",
        on_post="""after -= 0.05
        w = clip(w + before, 0, 0.6)""",
    )
    s.connect()
    s.connect(i=3, j=np.arange(100) % 9)  # several between the same two
    s.w = "0.2 + 0.001*j + 0.01*i"
    s.pre.delay = "0.1*ms + 0.5*ms*(j % 2)"
    net = Network(g, h, s, SpikeMonitor(h))
    net.run(30 * ms)
    return net


@network
def constant_weights_beside_traces():
    """One pathway reads constants alone, the other one writes: the synapses of a source are not in order."""
    g = _ramp(6)
    h = NeuronGroup(
        5, "dv/dt = (1.3 - v)/(6*ms) : 1", threshold="v > 1", reset="v = 0", method="exact"
    )
    s = Synapses(g, h, "w : 1\ntrace : 1", on_pre="v_post += w", on_post="trace += 0.1*v_pre")
    s.connect(i=[5, 3, 0, 3, 1, 4, 2, 0, 5, 1], j=[0, 1, 2, 3, 4, 0, 1, 3, 2, 0])
    s.w = "0.01*i + 0.03*j"
    net = Network(collect())
    net.run(20 * ms)
    return net


@network
def quotients():
    """Divisions by exp and exprel, as gates have them."""
    g = NeuronGroup(
        300,
        """dm/dt = a*(1 - m) - b*m : 1
        a = 2*x/exprel(x/3)/ms : Hz
        b = 4/exp(x/7)/ms : Hz
        c = 3/(2*exprel(x)) + x/exprel(-x)/exp(y) : 1
        x : 1
        y : 1""",
        method="exponential_euler",
    )
    g.x = "(i - 150)/20.0"
    g.y = "(i - 100)/10.0"
    r = StateMonitor(g, ["m", "c"], record=True)
    net = Network(g, r)
    net.run(2 * ms)
    return net


@network
def clock_driven():
    g, h = _ramp(4), NeuronGroup(3, "total : 1\ndx/dt = (total - x)/(4*ms) : 1", method="euler")
    s = Synapses(
        g,
        h,
        "dq/dt = -q/(8*ms) : 1 (clock-driven)\ntotal_post = q*v_pre : 1 (summed)\nk : 1",
        on_pre="q += 1",
        method="exact",
    )
    s.connect()
    r = StateMonitor(h, "x", record=True)
    net = Network(collect())
    net.run(15 * ms)
    return net


@network
def gap_junctions():
    g = NeuronGroup(6, "dv/dt = (current - v)/(10*ms) : 1\ncurrent : 1\nback : 1", method="euler")
    g.v = "i"
    s = Synapses(
        g,
        g,
        "w : 1\ncurrent_post = w*(v_pre - v_post) : 1 (summed)\nback_pre = w*v_post : 1 (summed)",
    )
    s.connect(condition="abs(i - j) == 1")
    s.w = 0.4
    net = Network(collect())
    net.run(10 * ms)
    return net


@network
def subgroups():
    g = _ramp(10)
    h = NeuronGroup(8, "dx/dt = -x/(5*ms) : 1\ny : 1", method="exact")
    s = Synapses(g[2:7], h[3:], on_pre="x_post += 1 + i; y_post += j", on_post=None, delay=0.3 * ms)
    s.connect(condition="i <= j")
    m, n = SpikeMonitor(g[1:4]), SpikeMonitor(g[5:], variables="v")
    p = PopulationRateMonitor(g[:6])
    r = StateMonitor(h[3:6], "x", record=[0, 2])
    h[2:4].run_regularly("y -= 0.5", dt=1 * ms)
    net = Network(collect())
    net.run(15 * ms)
    return net


@network
def summed_subgroups():
    g = NeuronGroup(6, "dv/dt = (total - v)/(10*ms) : 1\ntotal : 1", method="euler")
    g.v = "i + 1"
    s = Synapses(g[:3], g[3:], "total_post = v_pre : 1 (summed)")
    s.connect()
    net = Network(collect())
    net.run(5 * ms)
    return net


@network
def multisynapses():
    g, h = _ramp(3), NeuronGroup(3, "x : 1", name="h")
    s = Synapses(g, h, "w : 1", on_pre="x_post += w", multisynaptic_index="k")
    s.connect(n=3)
    s.w = "1 + k*10"
    s.delay = "k*0.5*ms"
    net = Network(collect())
    net.run(12 * ms)
    return net


@network
def synapses_onto_synapses():
    g, h = _ramp(4), NeuronGroup(2, "dx/dt = -x/(5*ms) : 1", method="exact", name="h")
    s = Synapses(g, h, "w : 1", on_pre="x_post += w")
    s.connect()
    s.w = 1
    m = Synapses(g, s, on_pre="w_post *= 0.9", delay=0.5 * ms)
    m.connect(condition="i == j // 2")
    net = Network(collect())
    net.run(15 * ms)
    return net


@network
def order_matters():
    g, h = _ramp(4), NeuronGroup(2, "x : 1", name="h")
    s = Synapses(g, h, "w : 1", on_pre="w = x_post; x_post = x_post*0.5 + i + 1")
    s.connect()
    net = Network(collect())
    net.run(15 * ms)
    return net


@network
def on_event():
    g = NeuronGroup(
        4,
        "dv/dt = slope : 1\nslope : Hz",
        threshold="v > 1",
        reset="v = 0",
        events={"half": "v > 0.5 and v < 0.55"},
        method="euler",
    )
    g.slope = np.linspace(100, 300, 4) * Hz
    h = NeuronGroup(2, "x : 1", name="h")
    s = Synapses(g, h, on_pre="x_post += i", on_event="half")
    s.connect()
    net = Network(collect())
    net.run(15 * ms)
    return net


# ------------------------------------------------------------------------------------------ inputs


@network
def listed_spikes():
    g = SpikeGeneratorGroup(4, [0, 1, 3, 2, 0, 3], [0, 1, 1.05, 2.5, 4, 4] * ms)
    h = NeuronGroup(4, "x : 1")
    s = Synapses(g, h, on_pre="x_post += i + 1", delay=0.2 * ms)
    s.connect(j="i")
    m = SpikeMonitor(g)
    net = Network(collect())
    net.run(5 * ms)
    g.set_spikes([1, 2], [6, 7.3] * ms)
    net.run(5 * ms)
    return net


@network
def listed_spikes_out_of_order_within_a_step():
    g = SpikeGeneratorGroup(6, [5, 1, 4, 2, 3, 0], [1.01, 1.02, 1.03, 1.04, 2.05, 2.09] * ms)
    h = NeuronGroup(6, "x : 1", name="h")
    s = Synapses(g, h, on_pre="x_post = x_post*0.5 + i")
    s.connect(j="0")
    m, p = SpikeMonitor(g), PopulationRateMonitor(g)
    net = Network(collect())
    net.run(3 * ms)
    return net


@network
def periodic_spikes():
    g = SpikeGeneratorGroup(3, [0, 2, 1], [0.1, 0.4, 1.1] * ms, period=1.5 * ms)
    m, p = SpikeMonitor(g), PopulationRateMonitor(g)
    net = Network(collect())
    net.run(7 * ms)
    return net


@network
def timed_arrays():
    ta = TimedArray(np.arange(7) ** 2 * 1.0, dt=0.7 * ms)
    tb = TimedArray(np.arange(12).reshape(4, 3) * mV, dt=1 * ms)
    g = NeuronGroup(3, "dv/dt = (ta(t) - v)/(2*ms) : 1\nu = tb(t, i) : volt", method="euler")
    r = StateMonitor(g, ["v", "u"], record=True)
    net = Network(collect())
    net.run(6 * ms, namespace={"ta": ta, "tb": tb})
    return net


# -------------------------------------------------------------------- clocks, schedule, operations


@network
def clocks():
    g = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", dt=0.1 * ms, method="exact", name="g")
    h = NeuronGroup(3, "dw/dt = -w/(20*ms) : 1", dt=0.25 * ms, method="exact", name="h")
    k = NeuronGroup(1, "dz/dt = 1*Hz : 1", clock=Clock(dt=3 * us), method="euler", name="k")
    g.v, h.w = [1, 2, 3], [3, 2, 1]
    r, q = StateMonitor(g, "v", record=0, dt=0.3 * ms), StateMonitor(h, "w", record=True)
    net = Network(collect())
    net.run(2 * ms)
    return net


@network
def schedule():
    g = NeuronGroup(
        2, "dv/dt = 100*Hz : 1\nu : 1", threshold="v > 1", reset="v = 0", method="euler"
    )
    g.run_regularly("u = v", when="before_groups", order=3)
    g.run_regularly("v += 0.01", when="after_resets")
    a = StateMonitor(g, ["v", "u"], record=True, when="before_thresholds")
    b = StateMonitor(g, "v", record=True, when="end", order=5)
    net = Network(collect())
    net.schedule = ["start", "synapses", "thresholds", "groups", "resets", "end"]
    net.run(12 * ms)
    return net


@network
def operations():
    g = _ramp(3)
    r, m = StateMonitor(g, "v", record=True), SpikeMonitor(g)
    seen = []

    def look(t):
        seen.append((float(np.asarray(t)), len(m.t), r.v.shape[1]))
        g.v[0] = 0.5
        if t > 9 * ms:
            net.stop()

    o = NetworkOperation(look, dt=1 * ms, when="after_groups")
    net = Network(g, r, m, o)
    net.run(20 * ms)
    net.seen = np.array(seen)
    return net


@network
def several_runs():
    g = _ramp(5, refractory=1 * ms)
    h = NeuronGroup(3, "dx/dt = -x/(5*ms) : 1", method="exact", name="h")
    s = Synapses(g, h, "w : 1", on_pre="x_post += w", delay=2 * ms)
    s.connect()
    s.w = 1
    m, r = SpikeMonitor(g), StateMonitor(h, "x", record=True)
    net = Network(collect())
    net.run(6 * ms)
    s.w = 2
    g.slope = 500 * Hz
    net.run(5 * ms)
    s.pre.delay = 0.5 * ms
    net.run(5 * ms)
    m.active = False
    h.active = False
    net.run(4 * ms)
    return net


@network
def stored():
    g = _ramp(5, refractory=1 * ms)
    h = NeuronGroup(3, "dx/dt = -x/(5*ms) : 1", method="exact", name="h")
    s = Synapses(g, h, "w : 1", on_pre="x_post += w")
    s.connect()
    s.w, s.delay = "i + 1", "(i + j)*0.8*ms"
    m = SpikeMonitor(g)
    net = Network(collect())
    net.run(6 * ms)
    net.store()
    net.run(7 * ms)
    net.restore()
    s.w = 3
    net.run(9 * ms)
    return net


@network
def changed_step():
    g = _ramp(4)
    h = NeuronGroup(3, "x : 1", name="h")
    s = Synapses(g, h, on_pre="x_post += 1", delay=3 * ms)
    s.connect()
    net = Network(collect())
    net.run(10 * ms)
    from brian2 import defaultclock

    defaultclock.dt = 0.05 * ms
    net.run(10 * ms)
    defaultclock.dt = 0.1 * ms
    return net


@network
def nothing_happens():
    g = NeuronGroup(2, "v : 1", threshold="v > 1")
    m, p = SpikeMonitor(g), PopulationRateMonitor(g)
    s = Synapses(g, g, on_pre="v_post += 1")
    s.connect(j="i")
    net = Network(collect())
    net.run(0 * ms)
    net.run(1 * ms)
    return net


@implementation(
    "cpp",
    """
    static double zoo_table[3] = {1.0, 2.5, -1.0};
    #define ZOO_SCALE 2
    double zoo_bent(double x, int n)
    {
        return x > 0 ? ZOO_SCALE*x*x : zoo_table[n % 3] + _namespacezoo_offsets[n];
    }
    """,
    namespace={"zoo_offsets": np.array([0.5, 0.25, 0.125, 0.0])},
)
@check_units(x=1, n=1, result=1)
def zoo_bent(x, n):
    table, offsets = np.array([1.0, 2.5, -1.0]), np.array([0.5, 0.25, 0.125, 0.0])
    return np.where(x > 0, 2 * x * x, table[n % 3] + offsets[n])


@network
def function_of_the_script():
    g = NeuronGroup(
        4, "dv/dt = zoo_bent(v, i)*10*Hz : 1", method="euler", namespace={"zoo_bent": zoo_bent}
    )
    g.v = [-1, 0.5, -2, 1]
    net = Network(collect())
    net.run(5 * ms)
    return net


@network
def synaptic_values():
    g, h = _ramp(4), NeuronGroup(3, "dx/dt = -x/(5*ms) : 1", method="exact", name="h")
    s = Synapses(
        g,
        h,
        """w : 1
        shared_gain : 1 (shared)
        twice = 2*w + q : 1
        dq/dt = (x_post - q)/(3*ms) : 1 (clock-driven)""",
        on_pre="x_post += w*shared_gain",
        method="euler",
        delay=0.2 * ms,
    )
    s.connect(condition="i != j")
    s.w, s.shared_gain = "0.1*(i + 1)", 2
    s.run_regularly("w = w*0.9 + 0.01*j", dt=1 * ms)
    r = StateMonitor(s, ["w", "twice", "q"], record=[0, 3, 8], dt=0.5 * ms)

    net = Network(collect())
    net.run(12 * ms)
    return net


@network
def two_populations():
    e = NeuronGroup(
        40,
        """dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - (v + 60*mV) + 15*mV + bias)/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : 1
        dgi/dt = -gi/(10*ms) : 1
        bias : volt (constant)""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory="2*ms + 1*ms*int(i > 20)",
        method="exponential_euler",
        name="e",
    )
    e.bias = "i*0.2*mV"
    e.v = "-60*mV + 0.2*mV*i"
    ex = Synapses(e[:30], e, "w : 1", on_pre="ge_post += w", delay=0.5 * ms)
    ex.connect(condition="(i*7 + j*3) % 5 == 0")
    ex.w = "0.05 + 0.001*j"
    inh = Synapses(e[30:], e, on_pre="gi_post += 0.4")
    inh.connect(condition="(i*5 + j) % 4 == 0")
    inh.delay = "0.1*ms*(j % 4)"
    m, p = SpikeMonitor(e), PopulationRateMonitor(e)
    net = Network(collect())
    net.run(50 * ms)
    return net


# ----------------------------------------------------------------------------------------- random


@random
def noise():
    g = NeuronGroup(
        2000,
        "dv/dt = -v/(10*ms) + 0.5*xi*(5*ms)**-0.5 : 1\ndw/dt = -w/(10*ms) + xi_1*(10*ms)**-0.5 : 1",
        method="euler",
    )
    net = Network(collect())
    net.run(30 * ms)
    return net


@random
def multiplicative_noise():
    g = NeuronGroup(500, "dv/dt = -v/(10*ms) + 0.3*v*xi*(10*ms)**-0.5 : 1", method="milstein")
    g.v = 1
    net = Network(collect())
    net.run(10 * ms)
    return net


@random
def poisson_inputs():
    g = PoissonGroup(200, np.linspace(0, 2000, 200) * Hz)
    h = NeuronGroup(50, "dx/dt = -x/(5*ms) : 1\ny : 1", method="exact", name="h")
    s = Synapses(g, h, on_pre="x_post += rand() < 0.5")
    s.connect(i=np.arange(200), j=np.arange(200) % 50)
    p = PoissonInput(h, "y", 20, 100 * Hz, weight=1)
    q = PoissonInput(h, "y", 1000, 50 * Hz, weight=0.1)
    m = SpikeMonitor(g)
    net = Network(collect())
    net.run(20 * ms)
    return net


@random
def random_refractory_and_rates():
    g = NeuronGroup(
        60,
        "dv/dt = 400*Hz : 1 (unless refractory)\nrest : second",
        threshold="v > 1",
        reset="v = 0.2*rand(); rest = (1 + randn()**2)*ms",
        refractory="rest",
        method="euler",
    )
    p = PoissonGroup(30, "(200 + 150*sin(2*pi*100*Hz*t))*Hz + i*5*Hz")
    s = Synapses(p, g, "w : 1", on_pre="v_post += w; w = clip(w + 0.02*randn(), 0, 0.2)")
    s.connect(j="(i*2) % 60")
    s.connect(j="(i*2 + 1) % 60")
    s.w = "0.1*rand()"
    m, n = SpikeMonitor(g), SpikeMonitor(p)
    net = Network(collect())
    net.run(20 * ms)
    return net


@random
def drawn():
    g = NeuronGroup(1000, "a : 1\nb : 1\nc : integer\nd : integer\ns : 1 (shared)")
    g.run_regularly("s = randn()\na = rand(); b = randn() + a; c = poisson(3); d = poisson(40*a)")
    net = Network(collect())
    net.run(0.3 * ms)
    return net


__all__ = ["DETERMINISTIC", "RANDOM", "second"]
