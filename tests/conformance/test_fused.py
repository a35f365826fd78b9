"""The fused loop gives what Brian2's runtime gives, for all that a model file can say of lattices.

In double precision the two differ by rounding alone, noise included: its numbers are the same.
"""

from __future__ import annotations

import errno
import itertools
import signal
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from brian2.utils.logger import catch_logs
from helpers.zoo import LATERAL, zoo
from scipy import stats

from neuroglia_snn import backends, lanes
from neuroglia_snn.backends import fused
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian import network
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ResultError, UserError
from neuroglia_snn.program import drive


def assert_same(a: Outcome, b: Outcome, tolerance: float) -> None:
    """Records, events and final states agree; ``tolerance`` 0 means bit for bit."""
    assert a.records.keys() == b.records.keys() and a.events.keys() == b.events.keys()
    for name, record in a.records.items():
        np.testing.assert_allclose(b.records[name].times, record.times, atol=1e-12)
        np.testing.assert_array_equal(b.records[name].indices.size, record.indices.size)
        for variable, values in record.values.items():
            other = b.records[name].values[variable]
            scale = np.max(np.abs(values), initial=1e-30)
            np.testing.assert_allclose(
                other, values, rtol=0, atol=tolerance * scale, err_msg=f"{name}.{variable}"
            )
    for name, (times, units) in a.events.items():
        np.testing.assert_allclose(b.events[name][0], times, atol=1e-9)
        np.testing.assert_array_equal(b.events[name][1], units)
    for population, state in a.final.items():
        assert b.final[population].keys() == state.keys()
        for variable, values in state.items():
            scale = np.max(np.abs(values), initial=1e-30)
            np.testing.assert_allclose(
                b.final[population][variable],
                values,
                rtol=0,
                atol=tolerance * scale,
                err_msg=f"{population}.{variable}",
            )


@pytest.mark.one_in(5)
@pytest.mark.parametrize("lateral", LATERAL)
def test_it_follows_brian2_to_rounding(tmp_path, lateral):
    request = zoo(tmp_path, lateral)
    ours, brians = backends.get("fused").run(request), backends.get("numpy").run(request)
    assert brians.final["sheet"]["crossings"].sum() > 20  # thresholds and resets did happen
    assert_same(brians, ours, 1e-9)


HEAD = """
[model]
noise = "stratonovich"
integrator = "heun"
dt = "0.1 ms"
duration = "3 ms"
[parameters]
tau = { value = "2 ms" }
"""
QUIRKS = (
    HEAD
    + """a = { value = "0.1" }
d_a = { value = "0.2" }
[population.s]
shape = [17, 16]
equations = '''
dx/dt = (-x + 0.3*L + a*clip(x, -inf, 0.5) - d_a*x**2 + p/10)/tau + 0.3*(1 + x**2)*xi/sqrt(tau) : 1
y : 1
p : 1
fired : 1
gain : 1 (constant)
L : 1
'''
threshold = "t > 1*ms and clip(x, -1, 1) > -0.5*d_a"
reset = "fired += 1; x = clip(x, -2, 2) - 0.001*a*d_a"
regularly = [{ code = "p = dt/ms + t/ms", dt = "0.3 ms" }]
initial = { x = "0.05*(i%7) - 0.3", gain = "1 + 0.1*(i%5)" }
[projection.lat]
from = "s"
to = "s"
connect = { rule = "lattice", neighbours = 4 }
equations = "L_post = gain_pre*(x_pre - x_post)/(N_incoming + t/ms) + 0*gain_post : 1 (summed)"
[record.all]
population = "s"
variables = ["x", "fired", "p"]
every = "0.2 ms"
[record.mean]
population = "s"
variables = ["x"]
every = "0.2 ms"
stride = 2
reduce = "mean"
"""
)


@pytest.mark.thorough
def test_odd_but_valid_models_agree_and_threads_change_no_bit(tmp_path):
    """What a reader with fresh eyes found wrong once, in one model: see each line of it."""
    file = tmp_path / "quirks.toml"
    file.write_text(QUIRKS)
    model = load(str(file))
    one = backends.get("fused").run(Request(model))
    assert_same(backends.get("numpy").run(Request(model)), one, 1e-9)
    for threads in (2, 3, 4):  # rows are few enough that each share has another number of them
        assert_same(one, backends.get("fused").run(Request(model, threads=threads)), 0)


def test_threads_change_no_bit(tmp_path):
    one = backends.get("fused").run(zoo(tmp_path))
    two = backends.get("fused").run(zoo(tmp_path, threads=2))
    assert not two.compiled
    assert_same(one, two, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_threads_change_no_bit_of_the_memory_model(precision):
    model = load(
        "noise_induced_memory",
        {
            "population.neuron.shape": "[40, 37]",
            "population.astrocyte.shape": "[13, 12]",
            "model.duration": "8 ms",
            "record.frames.every": "1 ms",
            "stimulus.test.start": "2 ms",
            "t_glio": "2 ms",
            "Ca_glio": "0.0697 uM",
        },
    )
    image = np.zeros((40, 37), bool)
    image[10:30, 10:25] = True
    images = {"train": image, "test": image}
    outcomes = [
        backends.get("fused").run(Request(model, images, 5, threads, precision))
        for threads in (1, 2, 3, 7)
    ]
    assert outcomes[0].final["neuron"]["n_spikes"].sum() > 100
    for other in outcomes[1:]:
        assert_same(outcomes[0], other, 0)


SHEET = """
[population.s{n}]
shape = [{rows}, {cols}]
equations = '''
dx/dt = (-x + 0.3*L + 0.2*clip(x + 0.1, 0, 0.5))/tau + 0.3*x*xi/sqrt(tau) : 1
crossings : integer
L : 1
'''
threshold = "x > 0.5"
reset = "x = 0; crossings += 1"
initial = {{ x = "0.06*(i%17) - 0.3" }}
[projection.p{n}]
from = "s{n}"
to = "s{n}"
connect = {{ rule = "lattice", neighbours = {neighbours} }}
equations = "L_post = {text} : 1 (summed)"
"""


@pytest.mark.thorough
def test_every_shape_has_its_edges(tmp_path):
    """Of the lattice, of the rectangles of lanes (one, two or four blocks of rows) and of threads."""
    shapes = [(1, 40), (2, 33), (5, 32), (3, 48), (4, 49), (3, 200), (9, 34), (5, 64)]
    shapes += [(32, 9), (24, 35), (10, 40), (12, 17), (64, 20)]
    assert {lanes.of(shape).blocks for shape in shapes} == {1, 2, 4}
    sheets = [
        SHEET.format(n=n, rows=rows, cols=cols, neighbours=neighbours, text=text)
        for n, ((rows, cols), (neighbours, text)) in enumerate(
            zip(shapes, itertools.cycle(LATERAL.values()), strict=False)
        )
    ]
    file = tmp_path / "sheets.toml"
    file.write_text(HEAD + "".join(sheets))
    model = load(str(file))
    one = backends.get("fused").run(Request(model))
    assert all(state["crossings"].any() for state in one.final.values())
    assert_same(backends.get("numpy").run(Request(model)), one, 1e-9)
    for threads in (2, 3):
        assert_same(one, backends.get("fused").run(Request(model, threads=threads)), 0)


POOL = """
[population.pool{n}]
shape = [{across}, {along}]
equations = '''
dz/dt = (total - z)/tau : 1
total : 1
above : 1
'''
[projection.up{n}]
from = "{source}"
to = "pool{n}"
connect = {{ rule = "footprint", size = {size}, step = {step} }}
equations = "total_post = x_pre : 1 (summed)\\nabove_post = int(x_pre > 0.1) : 1 (summed)"
"""


@pytest.mark.thorough
def test_records_are_of_before_the_statements_on_slower_clocks(tmp_path):
    """Whatever their names, and means as well."""
    text = HEAD
    for name in ("all", "zone"):  # Brian2 orders by name what happens at the same time
        text += f"""
[population.{name}]
shape = [3, 5]
equations = "dx/dt = (0.2 - x)/tau : 1"
initial = {{ x = "0.02*i" }}
regularly = [{{ code = "x = x + 0.1*(i%4)", dt = "0.3 ms" }}]
[record.plain_{name}]
population = "{name}"
variables = ["x"]
every = "0.3 ms"
[record.mean_{name}]
population = "{name}"
variables = ["x"]
every = "0.6 ms"
reduce = "mean"
"""
    file = tmp_path / "records.toml"
    file.write_text(text)
    request = Request(load(str(file)))
    one = backends.get("fused").run(request)
    assert one.records["plain_all"].values["x"].ravel()[3] == pytest.approx(0.06)
    for backend in ("numpy", "cpp"):
        assert_same(backends.get(backend).run(request), one, 1e-9)


def test_pools_of_every_width(tmp_path):
    """Sources beside each other are summed once for all who read them, if their row goes on."""
    pools = [
        ("s0", [3, 3], [3, 3]),
        ("s0", [1, 33], [1, 3]),
        ("s0", [4, 1], [2, 5]),
        ("s0", [2, 39], [3, 1]),
        ("packed", [2, 2], [2, 2]),
    ]
    neighbours, coupled = LATERAL["difference"]
    text = HEAD + SHEET.format(n=0, rows=9, cols=39, neighbours=neighbours, text=coupled)
    text += """
[population.packed]
shape = [8, 9]
equations = "dx/dt = (0.2 - x)/tau : 1"
initial = { x = "0.02*i - 0.5" }
"""
    for n, (source, size, step) in enumerate(pools):
        shape = (9, 39) if source == "s0" else (8, 9)
        fitting = [(a - b) // c + 1 for a, b, c in zip(shape, size, step, strict=True)]
        across, along = fitting
        text += POOL.format(n=n, source=source, size=size, step=step, across=across, along=along)
    file = tmp_path / "pools.toml"
    file.write_text(text)
    model = load(str(file))
    one = backends.get("fused").run(Request(model))
    assert all(one.final[f"pool{n}"]["above"].any() for n in range(len(pools)))
    assert_same(backends.get("numpy").run(Request(model)), one, 1e-9)
    assert_same(one, backends.get("fused").run(Request(model, threads=2)), 0)


@pytest.mark.thorough
def test_long_sums_are_translated_at_once(tmp_path):
    """Each term was rendered twice as often as the one before it."""
    terms = " + ".join(f"0.001*x**{n}" for n in range(1, 41))
    request = zoo(tmp_path, change=("dx/dt = (", f"dx/dt = ({terms} + "))
    assert_same(backends.get("numpy").run(request), backends.get("fused").run(request), 1e-9)


@pytest.mark.thorough
def test_a_coupling_may_compare(tmp_path):
    changed = ("L_post = @LATERAL@", "L_post = int(x_pre > x_post)*(y_pre - y_post)")
    request = zoo(tmp_path, change=changed)
    assert_same(backends.get("numpy").run(request), backends.get("fused").run(request), 1e-9)


@pytest.mark.thorough
def test_a_bracket_in_a_reset_goes_on_in_the_next_line(tmp_path):
    request = zoo(tmp_path, change=("crossings += 1", "crossings += (0 +  # one\n  1); y = y"))
    brians = backends.get("numpy").run(request)
    assert brians.final["sheet"]["crossings"].any()
    assert_same(brians, backends.get("fused").run(request), 1e-9)


@pytest.mark.thorough
def test_single_precision_stays_near_and_leaves_slow_populations_alone(tmp_path):
    double = backends.get("fused").run(zoo(tmp_path))
    single = backends.get("fused").run(zoo(tmp_path, precision="float32"))
    x = [o.final["sheet"]["x"] for o in (double, single)]
    assert 0 < np.abs(x[0] - x[1]).max() < 1e-4
    walkers = [o.records["walkers"].values["w"] for o in (double, single)]
    np.testing.assert_array_equal(*walkers)  # no lattice
    assert (single.final["sheet"]["x"].astype(np.float32) == single.final["sheet"]["x"]).all()
    z = single.final["pool"]["z"]
    assert not (z.astype(np.float32) == z).all()


SYNAPTIC = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "20 ms"
[parameters]
gain = { value = "1" }
[population.cell]
size = 30
equations = "dv/dt = (1.2 + 0.01*i - v)/(5*ms) : 1"
threshold = "v > 1"
reset = "v = 0"
refractory = "1 ms"
initial = { v = "0.01*i" }
[projection.net]
from = "cell"
to = "cell"
connect = { rule = "condition", condition = "i != j", p = 0.3 }
equations = "w : 1"
on_pre = "v_post += gain*w"
initial = { w = "0.02" }
delay = "0.5 ms"
[record.spikes]
population = "cell"
events = true
"""


@pytest.mark.thorough
def test_values_do_not_compile_again_but_count(tmp_path):
    """Seeds, parameters, images, initial states, weights, probabilities and delays."""
    first = backends.get("fused").run(zoo(tmp_path))
    image = zoo(tmp_path)
    others = [
        zoo(tmp_path, seed=4),
        zoo(tmp_path, change=('strength = { value = "0.3" }', 'strength = { value = "0.4" }')),
        zoo(tmp_path, change=('x = "0.02*(i % 7) - 0.05"', 'x = "0.03*(i % 5)"')),
        replace(image, images={"spot": ~image.images["spot"]}),
    ]
    for request in others:
        other = backends.get("fused").run(request)
        assert not other.compiled
        assert not np.array_equal(first.final["sheet"]["x"], other.final["sheet"]["x"])
    changes = {"": "", '"0.02"': '"0.03"', "p = 0.3": "p = 0.4", '"0.5 ms"': '"0.7 ms"'}
    trains = []
    for number, (old, new) in enumerate(changes.items()):
        file = tmp_path / f"synaptic_{number}.toml"
        file.write_text(SYNAPTIC.replace(old, new) if old else SYNAPTIC)
        outcome = backends.get("fused").run(Request(load(str(file))))
        assert not (number and outcome.compiled), old
        trains.append(np.concatenate(outcome.events["spikes"]).tobytes())
    assert len(set(trains)) == len(trains)


@pytest.mark.thorough
def test_a_changed_equation_changes_the_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROGLIA_CACHE", str(tmp_path / "builds"))
    first = backends.get("fused").run(zoo(tmp_path))
    changed = zoo(tmp_path, change=("2*M)/tau", "2.5*M)/tau"))
    second = backends.get("fused").run(changed)
    assert second.compiled
    assert not np.array_equal(first.final["sheet"]["x"], second.final["sheet"]["x"])
    assert_same(backends.get("numpy").run(changed), second, 1e-9)


# ------------------------------------------------------------------------ statistics


def small_memory(seed: int, precision: str = "float64", **settings) -> Request:
    model = load(
        "noise_induced_memory",
        {
            "population.neuron.shape": "[16, 16]",
            "population.astrocyte.shape": "[5, 5]",
            "model.duration": "12 ms",
            "stimulus.test.start": "6 ms",
            "record.frames.every": "1 ms",
            "record.calcium.every": "1 ms",
            "record.traces.every": "12 ms",
            "t_glio": "2 ms",
            "Ca_glio": "0.0697 uM",
            **settings,
        },
    )
    image = np.zeros((16, 16), bool)
    image[4:12, 5:11] = True
    return Request(model, {"train": image, "test": image}, seed, precision=precision)


def figures(outcome: Outcome) -> dict[str, float]:
    """What an experiment would read off one run."""
    recalled = outcome.final["neuron"]["last_above"] > 6e-3
    frames = outcome.records["frames"].values["U"]
    return {
        "spikes": outcome.final["neuron"]["n_spikes"].sum(),
        "recalled": recalled.mean(),
        "calcium": outcome.final["astrocyte"]["Ca"].mean() * 1e3,
        "ip3": outcome.final["astrocyte"]["IP3"].mean() * 1e3,
        "mean potential": frames.mean(),
        "spread of potential": frames.std(),
    }


@pytest.mark.thorough
def test_single_precision_has_the_statistics_of_brian2():
    """20 seeds each, others on each side: Welch's test, at 0.1 % for each of six figures."""
    fused = backends.get("fused").run_many([small_memory(s, "float32") for s in range(20)], 2)
    brians = [backends.get("cpp").run(small_memory(s)) for s in range(100, 120)]
    ours, theirs = ([figures(o) for o in outcomes] for outcomes in (fused, brians))
    for name in ours[0]:
        a, b = (np.array([f[name] for f in all_]) for all_ in (ours, theirs))
        if name not in ("calcium", "ip3"):
            assert a.std() > 0, name
        assert stats.ttest_ind(a, b, equal_var=False).pvalue > 1e-3, (name, a.mean(), b.mean())


# -------------------------------------------------------------------------- replicas


@pytest.mark.thorough
def test_what_an_earlier_run_found_not_finite_is_no_fault_of_the_next(tmp_path):
    network.FIRST_NONFINITE[:] = 1, 0, 3, 0.01
    backends.get("fused").run(zoo(tmp_path, "mean"))


@pytest.mark.thorough
def test_replicas_are_the_single_runs():
    """Seeds, noise levels and images in one call, side by side."""
    requests = [small_memory(seed, sigma2=s) for seed, s in ((1, "0.12"), (2, "0.12"), (1, "0.2"))]
    other = {name: np.roll(image, 3, axis=1) for name, image in requests[0].images.items()}
    requests.append(Request(requests[0].model, other, 1))
    together = backends.get("fused").run_many(requests, workers=2)
    for request, outcome in zip(requests, together, strict=True):
        assert_same(backends.get("fused").run(request), outcome, 0)
    ends = {outcome.final["neuron"]["U"].tobytes() for outcome in together}
    assert len(ends) == len(requests)


def test_replicas_of_another_structure_are_refused():
    with pytest.raises(UserError, match="seeds, parameter values and images"):
        backends.get("fused").run_many(
            [small_memory(1), small_memory(1, **{"record.frames.every": "2 ms"})]
        )


# ---------------------------------------------------------------- stopping and going on


def stopped(request: Request, moments: Iterable[int]) -> Iterator[Outcome]:
    """Of a run that is interrupted when it has reported so often, again and again, and goes on to its end."""
    for moment in moments:
        reports = itertools.count(1)

        def progress(fraction, model_time, moment=moment, reports=reports):
            if next(reports) == moment:
                signal.raise_signal(signal.SIGINT)

        yield backends.get("fused").run(replace(request, progress=progress))
    yield backends.get("fused").run(request)


@pytest.fixture
def often(monkeypatch) -> None:
    """Runs report every few milliseconds."""
    monkeypatch.setattr(drive, "PAUSE", 0.003)
    monkeypatch.setattr(fused, "REPORT_EVERY", 0.01)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_run_in_pieces_ends_in_the_same_bits(tmp_path, often, precision):
    """Stopped before its first step, and at steps that nothing chooses."""
    request = zoo(tmp_path, precision=precision)
    request = replace(request, model=replace(request.model, duration=8.0))
    whole = backends.get("fused").run(request)
    assert whole.reached is None
    kept = replace(request, checkpoint=tmp_path / "kept")
    *pieces, outcome = stopped(kept, (1, 2, 2))
    for piece in pieces:
        shortest = min(len(r.times) for r in piece.records.values())
        assert shortest == pytest.approx(piece.reached / 1e-3, abs=2)
    reached = [piece.reached for piece in pieces]
    assert reached[0] == 0 and 0 < reached[1] < reached[2] < 8
    assert outcome.reached is None
    assert_same(whole, outcome, 0)


@pytest.mark.thorough
def test_what_is_kept_every_minute_is_the_state_of_that_time(tmp_path, often, monkeypatch):
    """A run that is killed goes on from its last checkpoint."""
    request = zoo(tmp_path)
    request = replace(request, model=replace(request.model, duration=4.0))
    whole = backends.get("fused").run(request)
    monkeypatch.setattr(fused, "CHECKPOINT_EVERY", whole.loop_seconds / 5)
    kept = replace(request, checkpoint=tmp_path / "kept")
    assert_same(whole, backends.get("fused").run(kept), 0)
    with np.load(tmp_path / "kept" / "checkpoint.npz") as file:
        assert 0 < file["time"] < 4
    assert_same(whole, backends.get("fused").run(kept), 0)


def test_a_full_disk_ends_no_run(tmp_path, often, monkeypatch):
    """What was kept before stays, nothing half written beside it, and one warning says so."""
    request = zoo(tmp_path)
    request = replace(request, model=replace(request.model, duration=2.0))
    whole = backends.get("fused").run(request)
    kept = replace(request, checkpoint=tmp_path / "kept")
    next(stopped(kept, [2]))
    before = (tmp_path / "kept" / "checkpoint.npz").read_bytes()
    failed = []

    def savez(file, **arrays) -> None:
        file.write(b"half of it")
        failed.append(file)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", savez)
    monkeypatch.setattr(fused, "CHECKPOINT_EVERY", 0.02)
    with catch_logs() as logs:
        assert_same(whole, backends.get("fused").run(kept), 0)
    assert len(failed) > 1
    (said,) = [text for _, _, text in logs if "cannot be written" in text]
    assert "(No space left on device): the run goes on" in said
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["checkpoint.npz"]
    assert (tmp_path / "kept" / "checkpoint.npz").read_bytes() == before


@pytest.mark.thorough
def test_a_checkpoint_of_another_program_is_refused(tmp_path):
    request = zoo(tmp_path, checkpoint=tmp_path / "kept")
    (piece, outcome) = stopped(request, [1])
    assert piece.reached == 0
    for change in (
        ("x = x - 0.8", "x = x - 0.7 + 0.01*x"),
        ("crossings : integer", "crossings : integer\nmore : 1"),
    ):
        other = zoo(tmp_path, change=change, checkpoint=tmp_path / "kept")
        with pytest.raises(ResultError, match="another version"):
            backends.get("fused").run(other)
    with pytest.raises(ResultError, match="another version"):
        backends.get("fused").run(replace(request, precision="float32"))
    assert_same(outcome, backends.get("fused").run(request), 0)


def test_a_checkpoint_that_cannot_be_read_is_said(tmp_path):
    request = zoo(tmp_path, checkpoint=tmp_path / "kept")
    list(stopped(request, [1]))
    file = tmp_path / "kept" / "checkpoint.npz"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ResultError, match=r"checkpoint\.npz cannot be read"):
        backends.get("fused").run(request)
