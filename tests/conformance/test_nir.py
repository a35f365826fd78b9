"""NIR graphs: a run of the imported file is the graph's own dynamics, and exports are read by others."""

from __future__ import annotations

import numpy as np
import pytest

import neuroglia_snn as ng

nir = pytest.importorskip("nir", reason="the package nir is not installed")

DT = 1e-4
#: What a spike of the first layer, of the second layer... is behind snnTorch's: a step a connection.
HELD = {"regularly": [{"code": "I = arriving\narriving = 0", "dt": "0.1 ms"}]}
NIR_LIF = "dv/dt = (10*I - v)/(1*ms) : 1\nI : 1\narriving : 1"


def spikes(steps: int, units: int, probability: float = 0.2, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((steps, units)) < probability).astype(float)


def listed(given: np.ndarray) -> list[list[object]]:
    """Spikes as a model file lists them."""
    return [[int(unit), f"{step / 10:.1f} ms"] for step, unit in np.argwhere(given)]


def seen(model: ng.Model, record: str, units: int, backend: str = "numpy", seed: int = 0):
    """Spikes of a record, (step, unit)."""
    data = model.run(backend=backend, seed=seed, progress=False).data
    steps = round(model.spec.duration / DT)
    found = np.zeros((steps, units))
    times = np.rint(data[f"{record}_time"].values / 0.1).astype(int)
    found[times, data[f"{record}_unit"].values.astype(int)] = 1
    return found


def full(size, number):
    return np.full(size, float(number))


# ---------------------------------------------------------------------------------- NIR's dynamics


def lif(size, tau=2e-3, leak=0.0, reset=0.0, threshold=1.0):
    tau = np.linspace(tau, 2 * tau, int(np.prod(size))).reshape(size)
    return nir.LIF(tau, tau / DT, full(size, leak), full(size, threshold), full(size, reset))


def cuba(size):
    tau_mem, tau_syn = full(size, 2e-3), full(size, 3e-3)
    scale = (full(size, 7.0), full(size, 0.0), full(size, 1.0), full(size, -0.1), full(size, 12.0))
    r, leak, threshold, reset, w_in = scale
    return nir.CubaLIF(tau_mem, tau_syn, r, leak, threshold, reset, w_in=w_in)


class Reference:
    """Forward Euler of a graph's equations, all nodes at once: what one puts out, others see a step later."""

    def __init__(self, graph):
        self.graph, self.state = graph, {}
        stateful = (nir.LIF, nir.CubaLIF, nir.IF, nir.LI, nir.CubaLI)
        self.neurons = {n: one for n, one in graph.nodes.items() if isinstance(one, stateful)}
        inputs = {n for n, one in graph.nodes.items() if isinstance(one, nir.Input)}
        self.past = {name: [] for name in [*self.neurons, *inputs]}

    def step(self, inputs):
        started = any(self.past.values())
        arrives = {name: self._sum(name, 1) if started else 0.0 for name in self.neurons}
        now = {name: self._neuron(name, one, arrives[name]) for name, one in self.neurons.items()}
        for name, out in {**now, **inputs}.items():
            self.past[name].append(out)
        return now

    def _sum(self, name, lag):
        return sum(self._value(a, lag) for a, b in self.graph.edges if b == name)

    def _value(self, name, lag):
        """What a node put out some steps ago."""
        if name in self.past:
            past = self.past[name]
            return past[-lag] if len(past) >= lag else np.zeros_like(past[0])
        node = self.graph.nodes[name]
        if isinstance(node, nir.Delay):
            late = np.rint(node.delay / DT).astype(int)
            found = {n: self._sum(name, lag + n) for n in np.unique(late)}
            return np.array([found[n][k] for k, n in enumerate(late)])
        x = self._sum(name, lag)
        match node:
            case nir.Linear():
                return node.weight @ x
            case nir.Affine():
                return node.weight @ x + node.bias
            case nir.Scale():
                return node.scale * x
            case nir.Flatten():
                return x.ravel()
            case nir.Conv2d():
                return convolved(node, x)
            case nir.SumPool2d():
                k = int(node.kernel_size[0])
                return x.reshape(len(x), x.shape[1] // k, k, x.shape[2] // k, k).sum((2, 4))
        raise AssertionError(node)

    def _neuron(self, name, node, x):
        shape = tuple(int(n) for n in node.output_type["output"])
        v, current = self.state.get(name, (np.zeros(shape), np.zeros(shape)))
        match node:
            case nir.LIF() | nir.LI():
                v = v + DT * (node.v_leak - v + node.r * x) / node.tau
            case nir.IF() | nir.I():
                v = v + DT * node.r * x
            case (
                nir.CubaLIF() | nir.CubaLI()
            ):  # the current that has just arrived drives the membrane
                arrived = current + DT * node.w_in * x / node.tau_syn
                v = v + DT * (node.v_leak - v + node.r * arrived) / node.tau_mem
                current = arrived - DT * arrived / node.tau_syn
        if not hasattr(node, "v_threshold"):
            self.state[name] = (v, current)
            return v
        z = (v > node.v_threshold).astype(float)
        self.state[name] = (np.where(z > 0, node.v_reset, v), current)
        return z


def convolved(node, x):
    """A convolution by its definition."""
    out_channels, _, rows, columns = node.weight.shape
    (top, left), (down, across) = node.padding, node.stride
    padded = np.pad(x, ((0, 0), (top, top), (left, left)))
    height = (padded.shape[1] - rows) // down + 1
    width = (padded.shape[2] - columns) // across + 1
    out = np.zeros((out_channels, height, width))
    per = out_channels // node.groups
    for o, r, c in np.ndindex(*out.shape):
        first = o // per * node.weight.shape[1]
        seen_there = padded[
            first : first + node.weight.shape[1],
            r * down : r * down + rows,
            c * across : c * across + columns,
        ]
        out[o, r, c] = (seen_there * node.weight[o]).sum() + node.bias[o]
    return out


def conv(weight, bias, stride=1, padding=1, shape=(6, 6), groups=1):
    return nir.Conv2d(shape, weight, stride, padding, 1, groups, bias)


def graphs():
    draw = np.random.default_rng(5)
    image, vector = np.array([2, 6, 6]), np.array([5])
    two = np.array([2, 2])
    nodes = {
        "image": nir.Input({"input": image}),
        "conv": conv(
            draw.normal(0.1, 0.3, (4, 1, 3, 3)), np.array([0.0, 0.01, 0.02, 0.0]), groups=2
        ),
        "if": nir.IF(full((4, 6, 6), 8000.0), full((4, 6, 6), 1.0), full((4, 6, 6), 0.2)),
        "pool": nir.SumPool2d(two, two, np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([4, 3, 3])}, 0, -1),
        "dense": nir.Affine(draw.normal(0.05, 0.1, (5, 36)), draw.normal(0, 0.02, 5)),
        "late": nir.Delay(np.repeat([0.0, 3e-4, 1e-3], 12)),
        "lif": lif((5,), leak=0.3, reset=-0.2),
        "recurrent": nir.Linear(draw.normal(0, 0.2, (5, 5))),
        "scale": nir.Scale(np.array([2.0, 1.0, 0.5, 1.0, 1.0])),
        "out": nir.Linear(draw.normal(0.3, 0.3, (3, 5))),
        "later": nir.Delay(np.array([5e-4, 0.0, 2e-4])),
        "cuba": cuba((3,)),
        "end": nir.Output({"output": np.array([3])}),
    }
    chain = ["image", "conv", "if", "pool", "flat", "late", "dense", "lif", "scale", "out", "later"]
    edges = [*zip(chain, [*chain[1:], "cuba"], strict=True), ("cuba", "end")]
    edges += [("lif", "recurrent"), ("recurrent", "lif")]
    graph = nir.NIRGraph(nodes, edges, type_check=False)  # nir counts no groups of channels
    yield "spikes", graph, {"image": spikes(300, 72, 0.15)}, 3
    numbers = {
        "in": nir.Input({"input": vector}),
        "weights": nir.Affine(draw.normal(0, 0.5, (4, 5)), draw.normal(0, 0.2, 4)),
        "li": nir.LI(full(4, 1e-3), full(4, 1.5), full(4, 0.1)),
        "more": nir.Linear(draw.normal(0.5, 0.5, (6, 4))),
        "lif": nir.LIF(full(6, 2e-3), full(6, 3.0), full(6, 0.2), full(6, 0.9), full(6, 0.0)),
        "end": nir.Output({"output": np.array([6])}),
    }
    edges = [("in", "weights"), ("weights", "li"), ("li", "more"), ("more", "lif"), ("lif", "end")]
    given = np.random.default_rng(8).normal(0.5, 1, (300, 5))
    yield "numbers", nir.NIRGraph(numbers, edges), {"in": given}, 6


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["spikes", "numbers"])
@pytest.mark.parametrize("backend", ["numpy", "fused"])
def test_a_run_is_the_graphs_own_dynamics(name, backend, tmp_path):
    _, graph, inputs, units = next(one for one in graphs() if one[0] == name)
    nir.write(tmp_path / "graph.nir", graph)
    model = ng.from_nir(tmp_path / "graph.nir", tmp_path / "model.toml", inputs=inputs)
    reference, expected = Reference(graph), []
    (entry,) = inputs
    shape = tuple(graph.nodes[entry].input_type["input"])
    output = next(a for a, b in graph.edges if b == "end")
    for given in inputs[entry]:
        expected.append(reference.step({entry: given.reshape(shape)})[output])
    found = seen(model, "end", units, backend)
    assert 50 < np.sum(expected) < 0.9 * np.size(expected)
    assert np.array_equal(found, np.array(expected))


def test_an_integrator_is_read_out(tmp_path):
    graph = nir.NIRGraph(
        {
            "in": nir.Input({"input": np.array([3])}),
            "weights": nir.Linear(np.array([[1.0, -2.0, 0.5], [0.3, 0.0, 1.0]])),
            "cuba": nir.CubaLI(
                full(2, 2e-3), full(2, 3e-3), full(2, 7.0), full(2, 0.5), full(2, 9.0)
            ),
            "end": nir.Output({"output": np.array([2])}),
            "readout": nir.Affine(np.array([[1.0, 1.0]]), np.array([0.25])),
            "sum": nir.Output({"output": np.array([1])}),
        },
        [
            ("in", "weights"),
            ("weights", "cuba"),
            ("cuba", "end"),
            ("cuba", "readout"),
            ("readout", "sum"),
        ],
    )
    given = spikes(100, 3)
    reference = Reference(graph)
    expected = [reference.step({"in": one})["cuba"] for one in given]
    data = ng.from_nir(graph, inputs={"in": given}).run(backend="numpy", progress=False).data
    assert data["end_v"].shape == (100, 2)
    # a record is taken at the start of a step, before its update
    assert np.allclose(data["end_v"].values[1:], expected[:-1], rtol=0, atol=1e-12)
    read = data["sum_x"].values[3:, 0]
    assert np.allclose(read - 0.25, np.sum(expected, axis=1)[1:-2], rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------- there and back


def model(populations, projections, records, **parameters) -> ng.Model:
    return ng.Model(
        model={"title": "Network", "dt": "0.1 ms", "duration": "40 ms", "integrator": "euler"},
        parameters=parameters,
        population=populations,
        projection=projections,
        record=records,
    )


LATTICE = {"shape": [6, 5], "spacing": "0.7", "spikes": listed(spikes(380, 30, 0.05))}
SOURCE = {"size": 6, "spikes": listed(spikes(380, 6, 0.08))}
ENDS = {"end": {"population": "b", "events": True}}
MODELS = {
    "jumps and currents, with delays and parts": model(
        {
            "source": SOURCE,
            "a": {
                "size": 8,
                "equations": "dv/dt = (E - v + drive)/tau : volt\ndrive : volt (constant)",
                "threshold": "v > -50*mV",
                "reset": "v = E",
                "initial": {"v": "E + i*mV", "drive": "rand()*10*mV"},
                "integrator": "exact",
            },
            "b": {
                "size": 3,
                "equations": "dv/dt = (g*R - v)/(8*ms) : 1\ndg/dt = -g/(5*ms) : amp\nR = 1/nA : 1/amp",
                "threshold": "v > 0.5",
                "reset": "v = -0.1",
            },
        },
        {
            "p_in": {
                "from": "source",
                "to": "a[2:8]",
                "equations": "w : volt",
                "on_pre": "v_post += w",
                "connect": {"rule": "condition", "condition": "True", "p": 0.7},
                "initial": {"w": "20*mV*rand()"},
                "delay": "(i + 1)*0.2*ms",
            },
            "q_out": {
                "from": "a[:5]",
                "to": "b",
                "on_pre": "g_post += 0.9*nA",
                "connect": {"rule": "all"},
                "delay": "(j + 1)*0.3*ms",
            },
            "r_back": {
                "from": "b",
                "to": "a",
                "on_pre": "v_post -= 2*mV",
                "connect": {"rule": "all"},
            },
        },
        ENDS,
        E="-65 mV",
        tau="10 ms",
    ),
    "a lattice": model(
        {
            "source": LATTICE,
            "a": {
                "shape": [6, 5],
                "spacing": "0.7",
                "equations": NIR_LIF,
                "threshold": "v > 1",
                "reset": "v = 0",
                **HELD,
            },
            "b": {
                "size": 4,
                "equations": "dv/dt = 0*Hz : 1",
                "threshold": "v > 1",
                "reset": "v = 0",
            },
        },
        {
            "p": {
                "from": "source",
                "to": "a",
                "equations": "w : 1",
                "on_pre": "arriving_post += w",
                "connect": {"rule": "kernel", "cutoff": "1.1", "edges": "zero-flux", "self": True},
                "initial": {"w": "0.4*exp(-distance**2)*(1 + 0.1*(i - j))"},
            },
            "q": {
                "from": "a",
                "to": "b",
                "on_pre": "v_post += 0.05*(j + 1)",
                "connect": {"rule": "all"},
            },
        },
        ENDS,
    ),
    "sums of integrators": model(
        {
            "source": SOURCE,
            "a": {"size": 4, "equations": "dx/dt = -x/tau : 1"},
            "b": {
                "size": 5,
                "equations": "dv/dt = (2*s - (v - 0.1))/(3*ms) : 1\ns : 1",
                "threshold": "0.6 < v",
                "reset": "v = 0",
            },
        },
        {
            "p": {"from": "source", "to": "a", "on_pre": "x += 0.3", "connect": {"rule": "all"}},
            "q": {
                "from": "a",
                "to": "b",
                "equations": "w : 1\ns_post = w*x_pre/N_incoming : 1 (summed)",
                "connect": {"rule": "condition", "condition": "i != j"},
                "initial": {"w": "rand()"},
            },
        },
        ENDS,
        tau="4 ms",
    ),
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", MODELS)
def test_there_and_back_gives_the_same_run(name, tmp_path):
    there = MODELS[name]
    ng.export(there, tmp_path / "one.nir", to="nir", seed=4)
    back = ng.from_nir(tmp_path / "one.nir", tmp_path / "back.toml")
    size = there.spec.populations["b"].size
    expected = seen(there, "end", size, seed=4)
    assert expected.sum() > 20
    assert np.array_equal(seen(back, "b_output", size), expected)
    ng.export(back, tmp_path / "two.nir", to="nir")
    same(nir.read(tmp_path / "one.nir"), nir.read(tmp_path / "two.nir"))


def same(one, other) -> None:
    """Two graphs with the same nodes, edges and numbers."""
    assert sorted(one.edges) == sorted(other.edges)
    assert one.nodes.keys() == other.nodes.keys()
    for name, node in one.nodes.items():
        assert type(node) is type(other.nodes[name])
        for key, value in vars(node).items():
            if isinstance(value, np.ndarray):
                assert np.allclose(value, getattr(other.nodes[name], key), rtol=1e-12), (name, key)


def test_a_lattice_is_a_convolution(tmp_path):
    ng.export(MODELS["a lattice"], tmp_path / "one.nir", to="nir")
    nodes = nir.read(tmp_path / "one.nir").nodes
    kinds = {name: type(node).__name__ for name, node in nodes.items()}
    assert kinds["p"] == "Conv2d" and kinds["q_flat"] == "Flatten" and kinds["b"] == "IF"
    assert nodes["p"].weight.shape == (1, 1, 3, 3)
    # the source above has the lower number by a row of 5
    assert np.isclose(nodes["p"].weight[0, 0, 0, 1], 0.4 * np.exp(-(0.7**2)) * 0.5)


def test_lattices_of_other_shapes_are_matrices(tmp_path):
    tables = MODELS["a lattice"].document().tables
    tables["population"]["source"] = {"shape": [8, 9], "spikes": listed(spikes(380, 72, 0.05))}
    there = ng.Model(tables)
    ng.export(there, tmp_path / "one.nir", to="nir")
    assert isinstance(nir.read(tmp_path / "one.nir").nodes["p"], nir.Linear)
    back = ng.from_nir(tmp_path / "one.nir")
    expected = seen(there, "end", 4)
    assert expected.sum() > 20 and np.array_equal(seen(back, "b_output", 4), expected)


def test_an_extension_node_spikes_into_neurons_of_nirs(tmp_path):
    tables = MODELS["jumps and currents, with delays and parts"].document().tables
    tables["population"]["a"]["refractory"] = "1 ms"
    del tables["projection"]["r_back"]
    there = ng.Model(tables)
    ng.export(there, tmp_path / "one.nir", to="nir", extension=True, seed=0)
    back = ng.from_nir(tmp_path / "one.nir")
    nodes = [type(node).__name__ for node in nodes_of(tmp_path / "one.nir").values()]
    assert {"NeurogliaPopulation", "NeurogliaProjection", "Linear", "CubaLIF"} <= {*nodes}
    expected = seen(there, "end", 3)
    assert expected.sum() > 20 and np.array_equal(seen(back, "b_output", 3), expected)


def nodes_of(path):
    from neuroglia_snn.exchange.nir.nodes import read

    return read(path).nodes


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["fhn_astrocytes", "fhn_excitable"])
def test_extension_nodes_are_the_whole_model(name, tmp_path):
    there = ng.load(name, {"model.duration": "3 ms"})
    ng.export(there, tmp_path / "one.nir", to="nir", extension=True)
    back = ng.from_nir(tmp_path / "one.nir")
    before, after = (m.run(backend="numpy", seed=2, progress=False).data for m in (there, back))
    assert sorted(before) == sorted(after)
    assert all(np.array_equal(before[k], after[k], equal_nan=True) for k in before)
    with pytest.raises((AssertionError, KeyError)):  # another reader has no such node, and stops
        nir.read(tmp_path / "one.nir")


# ------------------------------------------------------------------------------------------ snnTorch


@pytest.fixture
def snntorch():
    pytest.importorskip("nirtorch", reason="nirtorch, which snnTorch's NIR needs, is not installed")
    return pytest.importorskip("snntorch")


def layer(snntorch, kind: str, size: int):
    import torch

    options = {"beta": torch.linspace(0.8, 0.9, size), "threshold": torch.ones(size)}
    options |= {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
    if kind == "Synaptic":
        options["alpha"] = torch.full((size,), 0.85)
    return getattr(snntorch, kind)(**options)


def network(snntorch, kind: str, bias: bool):
    import torch

    torch.manual_seed(3)
    made = torch.nn.Sequential(
        *(torch.nn.Linear(6, 8, bias=bias), layer(snntorch, kind, 8)),
        *(torch.nn.Linear(8, 3, bias=bias), layer(snntorch, kind, 3)),
    )
    with torch.no_grad():
        for place in (0, 2):
            made[place].weight.abs_()
    return made


def outputs(layers, given: np.ndarray) -> np.ndarray:
    """Spikes of snnTorch's layers, step by step."""
    import torch

    for one in layers:
        if hasattr(one, "reset_mem"):
            one.reset_mem()
    found = []
    for x in torch.tensor(given, dtype=torch.float32):
        for one in layers:
            x = one(x[None])[0]
        found.append(x.detach().numpy())
    return np.array(found)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_network_of_snntorchs_has_the_same_spikes(kind, bias, snntorch, tmp_path):
    import torch
    from snntorch.export_nir import export_to_nir

    layers, given = network(snntorch, kind, bias), spikes(300, 6)
    graph = export_to_nir(layers, torch.zeros(1, 6), ignore_dims=[0])
    nir.write(tmp_path / "graph.nir", graph)
    imported = ng.from_nir(tmp_path / "graph.nir", inputs={"input": given})
    ours = seen(imported, "output", 3)
    first = outputs(layers[:2], given)
    # each connection takes a step here, and none in snnTorch: the second layer sees the first a step later
    late = np.vstack([np.zeros(8), first[:-1]])
    theirs = outputs(layers[2:], late)
    assert theirs.sum() > 15
    assert np.array_equal(ours[1:], theirs[:-1])
    if not bias:
        assert np.array_equal(ours[2:], outputs(layers, given)[:-2])


def test_snntorchs_recurrent_layer_has_the_same_spikes(snntorch, tmp_path):
    import torch
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(1)
    options = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
    layers = torch.nn.Sequential(
        torch.nn.Linear(5, 6), snntorch.RLeaky(beta=0.9, linear_features=6, **options)
    )
    with torch.no_grad():
        layers[0].weight.abs_()
    given = spikes(300, 5)
    graph = export_to_nir(layers, torch.zeros(5))
    nir.write(tmp_path / "graph.nir", graph)
    imported = ng.from_nir(tmp_path / "graph.nir", inputs={"input": given})
    layers[1].reset_mem()
    theirs = [layers(x).detach().numpy() for x in torch.tensor(given, dtype=torch.float32)]
    assert np.sum(theirs) > 50
    assert np.array_equal(seen(imported, "output", 6)[1:], np.array(theirs)[:-1])


def test_snntorch_runs_our_network_with_the_same_spikes(snntorch, tmp_path):
    import torch
    from snntorch.import_nir import import_from_nir

    given = spikes(380, 6)
    ours = model(
        {
            "source": {"size": 6, "spikes": listed(given)},
            "a": {"size": 8, "equations": NIR_LIF, "threshold": "v > 1", "reset": "v = 0", **HELD},
            "b": {
                "size": 3,
                "equations": "dv/dt = (2.5*g - v)/(0.5*ms) : 1\ndg/dt = -g/(1*ms) : 1",
                "threshold": "v > 1",
                "reset": "v = 0",
            },
        },
        {
            "p": {
                "from": "source",
                "to": "a",
                "equations": "w : 1",
                "on_pre": "arriving_post += w",
                "connect": {"rule": "all"},
                "initial": {"w": "0.5*rand()"},
            },
            "q": {
                "from": "a",
                "to": "b",
                "equations": "w : 1",
                "on_pre": "g_post += w",
                "connect": {"rule": "all"},
                "initial": {"w": "0.4*rand()"},
            },
        },
        ENDS,
    )
    ng.export(ours, tmp_path / "graph.nir", to="nir", seed=5)
    theirs, state, found = import_from_nir(nir.read(tmp_path / "graph.nir")), None, []
    for x in torch.tensor(given, dtype=torch.float32):
        one, state = theirs(x[None]) if state is None else theirs(x[None], state)
        found.append(one[0].detach().numpy())
    expected = seen(ours, "end", 3, seed=5)
    assert expected.sum() > 50
    assert np.array_equal(expected[2:380], np.array(found)[:-2])


# --------------------------------------------------------------------------------------------- Lava


def test_what_lavas_reader_asserts_holds(tmp_path):
    """Lava-dl has no reader in any release; the script of NIR's paper asserts this of a CubaLIF."""
    ng.export(MODELS["jumps and currents, with delays and parts"], tmp_path / "one.nir", to="nir")
    node = nir.read(tmp_path / "one.nir").nodes["b"]
    assert np.allclose(node.v_leak, 0) and np.allclose(node.r, node.tau_mem / DT)
    assert np.allclose(node.w_in, node.tau_syn / DT)  # so that it scales no weights
