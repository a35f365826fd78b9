"""Networks on lattices, whose kernels become one pass over rows."""

# ruff: noqa: F841, RUF059  (Brian2's `collect` finds objects in local variables)
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from brian2 import (
    EventMonitor,
    Network,
    NetworkOperation,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    collect,
    linked_var,
    ms,
)

from neuroglia_snn.program.lattice import Lattice

SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
LATTICES: dict[str, Callable[[], Network]] = {}
FOUR = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def lattice(make):
    LATTICES[make.__name__] = make
    return make


def neighbours(
    shape: tuple[int, ...], offsets: Sequence[tuple[int, ...]], periodic: Sequence[bool]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sources, targets and offsets' numbers of the synapses of a lattice of any dimension, source by source."""
    units = np.indices(shape).reshape(len(shape), -1)
    found = []
    for number, offset in enumerate(offsets):
        there = units + np.array(offset)[:, None]
        present = np.ones(units.shape[1], bool)
        for place, length, around in zip(there, shape, periodic, strict=True):
            if around:
                place %= length
            present &= (place >= 0) & (place < length)
        sources = np.ravel_multi_index(tuple(there[:, present]), shape)
        found.append((sources, np.flatnonzero(present), np.full(present.sum(), number)))
    i, j, numbers = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((j, i))
    return i[order], j[order], numbers[order]


def _linked(group: NeuronGroup, shape: Lattice, names: dict[str, tuple[int, int]], variable: str):
    for name, offset in names.items():
        index = shape.neighbours(offset)
        setattr(group, name, linked_var(group, variable, index=index))


def _waves(shape: Lattice, names=FOUR, flag: str = "", **more) -> NeuronGroup:
    """Excitable units that pull at each other, in one Euler step."""
    links = "\n".join(f"{n} : 1 (linked)" for n in names)
    total = " + ".join(f"({n} - v)" for n in names)
    group = NeuronGroup(
        shape.rows * shape.cols,
        f"""dv/dt = (v - v**3/3 - w + pull*({total}) + drive)/(2*ms) : 1 {flag}
        dw/dt = (v + 0.7 - 0.8*w)/(25*ms) : 1
        pull : 1 (shared)
        drive : 1
        count : integer
        {links}""",
        method="euler",
        **{"threshold": "v > 1", "reset": "count += 1", **more},
    )
    _linked(group, shape, names, "v")
    group.pull = 0.3
    group.v = "sin(0.7*i)"
    group.drive = "0.5 + 0.3*cos(0.05*i)"
    return group


@lattice
def no_flux() -> Network:
    group = _waves(Lattice(12, 10, (False, False)))
    spikes = SpikeMonitor(group)
    traces = StateMonitor(group, "v", record=[0, 9, 57, 119])
    net = Network(collect())
    net.run(20 * ms)
    return net


@lattice
def periodic() -> Network:
    group = _waves(Lattice(34, 33, (True, True)))
    spikes = SpikeMonitor(group)
    net = Network(collect())
    net.run(10 * ms)
    return net


@lattice
def periodic_columns() -> Network:
    group = _waves(Lattice(8, 20, (False, True)))
    net = Network(collect())
    net.run(10 * ms)
    return net


@lattice
def eight_neighbours() -> Network:
    corners = {"a": (-1, -1), "b": (-1, 1), "c": (1, -1), "d": (1, 1)}
    group = _waves(Lattice(9, 40, (False, False)), {**FOUR, **corners})
    net = Network(collect())
    net.run(10 * ms)
    return net


@lattice
def one_sided() -> Network:
    group = _waves(Lattice(16, 16, (False, False)), {"up": (-1, 0), "left": (0, -1)})
    net = Network(collect())
    net.run(10 * ms)
    return net


@lattice
def weighted_by_place() -> Network:
    """A constant of each unit multiplies what comes from its neighbours."""
    shape = Lattice(10, 12, (False, False))
    group = NeuronGroup(
        120,
        """dv/dt = (gain*((up - v) + (down - v)) + (left - v)/gain + right - v)/ms : 1
        gain : 1 (constant)
        up : 1 (linked)
        down : 1 (linked)
        left : 1 (linked)
        right : 1 (linked)""",
        method="euler",
    )
    _linked(group, shape, FOUR, "v")
    group.v, group.gain = "i % 7", "1 + 0.1*(i % 3)"
    net = Network(collect())
    net.run(3 * ms)
    group.gain = 0.5
    net.run(3 * ms)
    return net


@lattice
def two_stages() -> Network:
    """A gather, a predictor, a gather of what was predicted, a corrector, threshold and reset."""
    shape = Lattice(20, 34, (False, False))
    drive = TimedArray([0.0, 1.0, 0.0, 2.0], dt=2 * ms)
    group = NeuronGroup(
        680,
        """v : 1
        v_next : 1
        sum : 1
        sum_next : 1
        last : second
        fired : 1
        up : 1 (linked)
        down : 1 (linked)
        left : 1 (linked)
        right : 1 (linked)
        up_next : 1 (linked)
        down_next : 1 (linked)
        left_next : 1 (linked)
        right_next : 1 (linked)""",
        threshold="v > 1.2",
        reset="fired += int(t - last > 0.15*ms)\nlast = t",
    )
    _linked(group, shape, FOUR, "v")
    _linked(group, shape, {f"{n}_next": o for n, o in FOUR.items()}, "v_next")
    rate = "(v*(1 - v*v/3) + sum + drive(t)*0.4)"
    later = "(v_next*(1 - v_next*v_next/3) + sum_next + drive(t + dt)*0.4)"
    steps = [
        "sum = (up - v) + (down - v) + (left - v) + (right - v)",
        f"v_next = v + dt*{rate}/ms",
        "sum_next = (up_next - v_next) + (down_next - v_next) + (left_next - v_next) + (right_next - v_next)",
        f"v = 0.5*(v + v_next + dt*{later}/ms)",
    ]
    for order, code in enumerate(steps):
        group.run_regularly(code, when="groups", order=order)
    group.v, group.last = "0.5*sin(i*0.3)", -1 * ms
    traces = StateMonitor(group, ["v", "fired"], record=[0, 33, 300, 679], dt=0.5 * ms)
    net = Network(collect(), name="two_stages")
    net.run(8 * ms, namespace={"drive": drive})
    return net


@lattice
def between_runs() -> Network:
    """Values change between runs, and an older state comes back."""
    group = _waves(Lattice(6, 9, (False, False)))
    net = Network(collect())
    net.run(2 * ms)
    net.store()
    group.v[10] = 2
    group.pull = 0.1
    net.run(2 * ms)
    net.restore()
    group.drive = "0.1*(i % 5)"
    net.run(3 * ms)
    return net


@lattice
def slow_neighbours() -> Network:
    """A slower clock reads and writes what the lattice holds, and Python looks at it."""
    group = _waves(Lattice(9, 8, (False, False)))
    group.run_regularly("drive += 0.1*v\nw = w*0.99", dt=1 * ms)
    mean = NeuronGroup(4, "total : 1")
    sums = Synapses(group, mean, "total_post = v_pre : 1 (summed)")
    sums.connect("j == i % 4")
    seen = []
    look = NetworkOperation(lambda: seen.append(float(group.v[5])), dt=0.7 * ms)
    net = Network(collect())
    net.run(6 * ms)
    net.seen = np.array(seen)
    return net


@lattice
def events_in_order() -> Network:
    """Spikes of a lattice reach other neurons, and are recorded with values."""
    group = _waves(Lattice(10, 33, (False, False)))
    target = NeuronGroup(3, "x : 1")
    synapses = Synapses(group, target, on_pre="x_post += i % 5")
    synapses.connect("j == i % 3")
    monitor = EventMonitor(group, "spike", ["v"])
    net = Network(collect())
    net.run(15 * ms)
    return net


def _synapses(shape: Lattice, model: str, offsets=SIDES, **more) -> NeuronGroup:
    """Units whose input is a sum over synapses from their neighbours."""
    group = NeuronGroup(
        shape.rows * shape.cols,
        """dv/dt = (v - v**3/3 + input)/(2*ms) : 1
        input : 1""",
        method="euler",
        threshold="v > 1.2",
        reset="v = -1",
        **more,
    )
    synapses = Synapses(group, group, model)
    pairs = [
        (shape.neighbours(o)[shape.present(o)], np.arange(group.N)[shape.present(o)])
        for o in offsets
    ]
    i, j = (np.concatenate(part) for part in zip(*pairs, strict=True))
    order = np.argsort(i, kind="stable")
    synapses.connect(i=i[order], j=j[order])
    group.v = "sin(0.7*i)"
    return group, synapses


@lattice
def synapses_of_differences() -> Network:
    model = "input_post = 2*(v_pre - v_post)/N_incoming : 1 (summed)"
    group, synapses = _synapses(Lattice(12, 33, (False, False)), model)
    spikes = SpikeMonitor(group)
    net = Network(collect())
    net.run(15 * ms)
    return net


@lattice
def synapses_of_values() -> Network:
    """What is missing at the edges must not count as the unit itself."""
    model = "input_post = 0.1*v_pre + 0.01*int(v_pre > 0.5) : 1 (summed)"
    corners = ((-1, -1), (-1, 1), (1, -1), (1, 1))
    group, synapses = _synapses(Lattice(9, 34, (False, False)), model, corners)
    net = Network(collect())
    net.run(15 * ms)
    return net


@lattice
def synapses_around() -> Network:
    model = """strength : 1 (shared)
    input_post = strength*sin(v_pre - v_post) : 1 (summed)"""
    group, synapses = _synapses(Lattice(8, 16, (True, True)), model)
    synapses.strength = 0.5
    net = Network(collect())
    net.run(8 * ms)
    synapses.strength = 1.5
    net.run(8 * ms)
    return net


@lattice
def eight_around() -> Network:
    """Rows in blocks, whose corners are beyond the fold; of values, and of differences."""
    corners = tuple((r, c) for r in (-1, 1) for c in (-1, 1))
    models = (
        "input_post = 0.1*(v_pre - v_post) : 1 (summed)",
        "input_post = 0.05*v_pre**2 : 1 (summed)",
    )
    parts = [
        _synapses(Lattice(*shape, (True, True)), model, (*SIDES, *corners))
        for shape, model in zip(((8, 20), (36, 50)), models, strict=True)
    ]
    net = Network(parts)
    net.run(8 * ms)
    return net


NOISY: dict[str, Callable[[], Network]] = {}


def noisy(make):
    NOISY[make.__name__] = make
    return make


@noisy
def noise_of_units() -> Network:
    shape = Lattice(12, 21, (False, False))
    model = "input_post = (v_pre - v_post)/N_incoming : 1 (summed)"
    group = NeuronGroup(
        252,
        """dv/dt = (0.5 - v + input)/(2*ms) + 0.3*xi_a/sqrt(ms) + 0.1*xi_b*v/sqrt(ms) : 1
        input : 1
        kick : 1""",
        method="heun",
        threshold="v > 1.1",
        reset="v = 0",
    )
    group.run_regularly("kick = rand()\nv += 0.01*kick", when="end")
    synapses = Synapses(group, group, model)
    i = np.concatenate([shape.neighbours(o)[shape.present(o)] for o in FOUR.values()])
    j = np.concatenate([np.arange(252)[shape.present(o)] for o in FOUR.values()])
    synapses.connect(i=i, j=j)
    spikes = SpikeMonitor(group)
    net = Network(collect())
    net.run(10 * ms)
    net.run(10 * ms)
    return net


@lattice
def spikes_within() -> Network:
    """Spikes between units arrive between the threshold and the reset, which both change."""
    group = _waves(Lattice(8, 9, (False, False)), reset="v = -1")
    synapses = Synapses(group, group, on_pre="v_post += 0.05")
    synapses.connect("j == (i + 20) % 72")
    spikes = SpikeMonitor(group, ["v"])
    net = Network(collect())
    net.run(15 * ms)
    return net


@lattice
def refractory() -> Network:
    """Only what comes before the threshold is one pass."""
    more = {"reset": "v = -1", "refractory": 2 * ms, "flag": "(unless refractory)"}
    group = _waves(Lattice(8, 9, (False, False)), **more)
    spikes = SpikeMonitor(group)
    net = Network(collect())
    net.run(15 * ms)
    return net


@lattice
def chain() -> Network:
    group = _waves(Lattice(1, 50, (False, False)), {"left": (0, -1), "right": (0, 1)})
    spikes = SpikeMonitor(group)
    net = Network(collect())
    net.run(15 * ms)
    return net


@lattice
def ring() -> Network:
    """Neighbours of one kind alone, and a gain of each unit."""
    model = "input_post = 0.2*(v_pre - v_post) + 0.1*v_pre*v_post : 1 (summed)"
    group, synapses = _synapses(Lattice(1, 37, (False, True)), model, ((0, -1), (0, 1)))
    net = Network(collect())
    net.run(15 * ms)
    return net


def _relaxing(model: str = "", shape: Lattice = Lattice(6, 9, (False, False)), **more):  # noqa: B008
    names = "\n".join(f"{n} : 1 (linked)" for n in FOUR)
    rate = "dv/dt = (0.1*(up + down + left + right - 4*v) + 1 - w)/ms : 1"
    model = f"{rate}\ndw/dt = (v - w)/(3*ms) : 1\n{model}\n{names}"
    reset = {"reset": "v = 0"} if "threshold" in more else {}
    group = NeuronGroup(shape.rows * shape.cols, model, method="euler", **{**reset, **more})
    _linked(group, shape, FOUR, "v")
    group.v = "sin(0.7*i)"
    return group


@lattice
def neighbours_before_the_kernel() -> Network:
    """What a kernel reads of neighbours is from before it, also where it is written above or in place."""
    first = _relaxing()
    first.run_regularly("v = 2*v + 0.1*w\nw += 0.01*(up + left)\nv = 0.4*v")
    group = _relaxing()
    group.run_regularly("a = 0.2*v\nv = 0.3*(left + up) + a\na = a + v\nw = 0.5*w + 0.1*a")
    net = Network(collect())
    net.run(2 * ms)
    return net


@lattice
def thresholds_of_all_kinds() -> Network:
    """A threshold of neighbours, of constants of units, and of what only the threshold reads."""
    near = _relaxing("sq = v*v : 1", threshold="sq > 0.2 and left > 0.3")
    gain = _relaxing("gain : 1 (constant)", threshold="gain*(v + w) > 0.5")
    gain.gain = "1 + 0.1*(i % 3)"
    inner = _relaxing("total : 1", threshold="total > 0.5")
    inner.run_regularly("total = v + 0.1*left", when="groups", order=5)
    monitors = [SpikeMonitor(g) for g in (near, gain, inner)]
    net = Network(collect(), monitors)
    net.run(5 * ms)
    return net


@lattice
def reset_of_what_neighbours_read() -> Network:
    group = _relaxing(threshold="v > 0.5", reset="v = 0")
    group.run_regularly("w += 0.1*(up + left)", when="groups", order=5)
    spikes = SpikeMonitor(group)
    net = Network(collect())
    net.run(5 * ms)
    return net


@lattice
def lattices_narrower_than_their_lanes() -> Network:
    shapes = [(4, 3), (5, 18), (8, 3), (3, 17)]
    groups = [_relaxing(shape=Lattice(*s, (False, True)), threshold="v > 0.5") for s in shapes]
    net = Network(groups)
    net.run(3 * ms)
    return net


@lattice
def constants_that_change() -> Network:
    """A stimulus that begins at zero multiplies a unit's constant, which a slower clock writes."""
    stimulus = TimedArray([0.0, 0.0, 1.0, 0.0, 2.0], dt=1 * ms)
    group = _relaxing("gain : 1 (constant)")
    group.gain = "0.1 + 0.01*(i % 3)"
    group.run_regularly("w += gain*stimulus(t)*(up + left - v)")
    other = _relaxing("gain : 1 (constant)")
    other.run_regularly("w += gain*(up + left - v)")
    other.gain = "0.1 + 0.01*(i % 3)"
    other.run_regularly("gain = 1.5*gain", dt=1 * ms)
    net = Network(collect())
    net.run(5 * ms, namespace={"stimulus": stimulus})
    return net


@lattice
def synapses_of_distances() -> Network:
    """Where no synapse is, its value is not finite."""
    model = "input_post = (v_pre - v_post)/sqrt((x_pre - x_post)**2 + 1.0*(y_pre - y_post)**2) : 1 (summed)"
    shape = Lattice(6, 9, (False, False))
    group = NeuronGroup(54, "dv/dt = (input - v)/ms : 1\ninput : 1\nx : 1\ny : 1", method="euler")
    synapses = Synapses(group, group, model)
    pairs = [(shape.neighbours(o)[p], np.flatnonzero(p)) for o in SIDES for p in [shape.present(o)]]
    i, j = (np.concatenate(part) for part in zip(*pairs, strict=True))
    synapses.connect(i=i, j=j)
    group.v, group.x, group.y = "sin(i)", "i % 9", "i // 9"
    net = Network(collect())
    net.run(1 * ms)
    return net


@noisy
def random_thresholds() -> Network:
    """Random numbers of a threshold and of a reset, and those that are changed before they are used."""
    groups = [
        _relaxing("kick : 1", threshold=threshold, reset=reset)
        for threshold, reset in (
            ("v > rand()", "v = 0"),
            ("v + 0.1*randn() > 0.5", "v = 0"),
            ("v > 0.5", "v = rand()"),
        )
    ]
    for group in groups:
        group.run_regularly("kick = rand()\nkick = kick + 10\nv = 0.2*(left + up) + 0.01*kick")
    net = Network(groups)
    net.run(3 * ms)
    return net


@lattice
def four_stages() -> Network:
    """Rows enough for two threads, of which each leaves three at its border to the other."""
    group = _relaxing(shape=Lattice(26, 9, (False, False)), threshold="v > 0.5")
    group.run_regularly("w += 0.1*(up + left)", when="groups", order=5)
    spikes = SpikeMonitor(group)
    net = Network(collect())
    net.run(5 * ms)
    return net


#: Those whose rows several threads share.
SHARED = {
    make.__name__: make
    for make in (periodic, eight_neighbours, events_in_order, noise_of_units, four_stages)
}


def quicker_than_all_else() -> Network:
    """Steps between which nothing else is due: slower units read the lattice, and drive it, and a monitor looks."""
    shape = Lattice(16, 21, (False, False))
    group = NeuronGroup(
        336,
        """dv/dt = (v - v**3/3 - w + 2*((left - v) + (right - v) + (up - v) + (down - v)) + drive(t))/(2*ms)
            + 0.3*xi/sqrt(ms) : 1
        dw/dt = (v + 0.7 - 0.8*w + slow)/(25*ms) : 1
        slow : 1
        x : 1 (linked)
        last : second
        count : integer
        left : 1 (linked)
        right : 1 (linked)
        up : 1 (linked)
        down : 1 (linked)""",
        method="euler",
        threshold="v > 1",
        reset="count += int(t - last > 1.5*dt)\nlast = t",
        dt=0.02 * ms,
        namespace={"drive": TimedArray([0.0, 1.0, 0.0], dt=2 * ms)},
    )
    _linked(group, shape, FOUR, "v")
    group.v = "sin(0.7*i)"
    pool = NeuronGroup(8, "dx/dt = (total/40 - x)/(5*ms) : 1\ntotal : 1", method="euler")
    down = Synapses(group, pool, "total_post = v_pre : 1 (summed)")
    down.connect(j="i // 42")
    group.x = linked_var(pool, "x", index=np.arange(336) // 42)
    group.run_regularly("slow = x", dt=0.1 * ms)
    traces = StateMonitor(group, "v", record=[0, 77], dt=0.5 * ms)
    net = Network(collect())
    net.run(4.1 * ms)
    net.run(2 * ms)
    return net
