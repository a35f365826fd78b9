"""One part of ``gpu.py``, in a process of its own: prints a row of results, JSON, as its last line.

on_gpu.py PART GIVEN TARGET

PART is a function of `PARTS`, GIVEN its arguments (JSON), TARGET what the device ``neuroglia`` runs on:
"cuda", or "cpp" to try a part where there is no GPU.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "networks"))
from in_brian import NETWORKS  # noqa: E402

#: What is timed: rounds; where steps are not given, of about so many seconds, and how many steps at least and at most.
ROUNDS, SECONDS, FEWEST, MOST = 5, 1.0, 50, 50_000
#: Steps of a first run, which compiles, and after which the length of a round is chosen.
FIRST = 50
#: Bytes of a neuron's step on the lattice: U and V read and written, the astrocytes' input read.
VALUES = 5
#: A network of the memory model that keeps no record; no stimulus comes while it is timed.
BARE = """
[model]
extends = "noise_induced_memory"
remove = ["record.frames", "record.traces", "record.calcium", "experiment"]
"""
Row = dict[str, object]


# ------------------------------------------------------------------------- what is run


def lattice(side: int, steps: int, seed: int, precision: str, **changes: str):
    """The memory model on a lattice of ``side`` x ``side`` neurons."""
    astrocytes = (side - 4) // 3 + 1
    settings = {
        "population.neuron.shape": f"[{side}, {side}]",
        "population.astrocyte.shape": f"[{astrocytes}, {astrocytes}]",
        "stimulus.train.start": "1 second",
        **changes,
    }
    return _request(BARE, settings, steps, seed, precision)


def tripartite(astrocytes: int, steps: int, seed: int, precision: str):
    """The model of the catalogue with as many excitatory neurons as astrocytes.

    As dense on its sheet, with as many synapses a neuron.
    """
    everyone = astrocytes * 5 // 4
    settings = {
        "parameters.N_e": str(astrocytes),
        "parameters.N_a": str(astrocytes),
        "parameters.side": f"{3.75 * (astrocytes / 3200) ** 0.5} mmeter",
        "population.neuron.size": str(everyone),
        "population.astrocyte.size": str(astrocytes),
        "projection.excitation.from": f"neuron[0:{astrocytes}]",
        "projection.inhibition.from": f"neuron[{astrocytes}:{everyone}]",
        "projection.excitation.connect.p": str(min(1, 0.05 * 3200 / astrocytes)),
        "projection.inhibition.connect.p": str(min(1, 0.2 * 3200 / astrocytes)),
    }
    text = '[model]\nextends = "tripartite_coba"\n'
    return _request(text, settings, steps, seed, precision)


MODELS = {"lattice": lattice, "tripartite_coba": tripartite}


def _request(text: str, settings: dict[str, str], steps: int, seed: int, precision: str):
    """A request of a model that begins as this text says, for so many steps."""
    from neuroglia_snn.backends.base import Request, blank_images
    from neuroglia_snn.catalog.load import load

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bare.toml"
        file.write_text(text)
        model = load(str(file), settings)
        duration = {"model.duration": f"{steps * model.dt!r} second"}
        model = load(str(file), settings | duration)
    return Request(model, blank_images(model), seed, 1, precision)


def backend(target: str):
    """What runs model files on a target."""
    from neuroglia_snn import backends

    return backends.get("fused" if target == "cpp" else f"fused-{target}")


class Running:
    """Objects of Brian2's on the device ``neuroglia``, which are run piece by piece."""

    def __init__(self, objects: list, step: float) -> None:
        import brian2
        from brian2.devices.device import get_device

        self._network, self._step = brian2.Network(objects), step
        self._device = get_device()
        self._stored = False

    def run(self, steps: int) -> float:
        """Seconds of the loop."""
        from brian2 import second

        self._network.run(steps * self._step * second, namespace={})
        return self._device._last_run_time

    def from_the_start(self, steps: int) -> float:
        """The same of the network as it was made."""
        self._network.restore() if self._stored else self._network.store()
        self._stored = True
        return self.run(steps)

    @property
    def seconds(self) -> float:
        """Model time."""
        return self._network.t_


class Network(Running):
    """A network of ``in_brian.py``."""

    def __init__(self, name: str, size: int, target: str, precision: str = "float64") -> None:
        import brian2

        import neuroglia_snn.brian  # noqa: F401

        brian2.start_scope()
        brian2.set_device("neuroglia", target=target, precision=precision)
        brian2.seed(1)
        self.neurons, self.others = NETWORKS[name](size)
        self._spikes = brian2.SpikeMonitor(self.neurons, record=False)
        super().__init__([self.neurons, *self.others, self._spikes], 1e-4)

    def spikes(self) -> int:
        return int(np.sum(self._spikes.count[:]))

    def rate(self) -> float:
        """Of a neuron, in Hz."""
        return self.spikes() / len(self.neurons) / self.seconds

    def synapses(self) -> int:
        from brian2 import Synapses

        return sum(len(o) for o in self.others if isinstance(o, Synapses))

    def values(self) -> dict[str, np.ndarray]:
        """All states of the neurons, and the weights of what learns."""
        found = {
            name: np.array(self.neurons.variables[name].get_value())
            for name in self.neurons.equations.diff_eq_names
        }
        for number, other in enumerate(self.others):
            if "w" in getattr(other, "variables", {}):
                found[f"w of {number}"] = np.array(other.variables["w"].get_value())
        return found


#: How Brian2 writes code for models, from the first one to the end of the process.
_written = contextlib.ExitStack()


def model(name: str, size: int, target: str, precision: str) -> Running:
    """A model of the catalogue."""
    import brian2

    import neuroglia_snn.brian  # noqa: F401
    from neuroglia_snn.backends.brian.as_written import as_written
    from neuroglia_snn.backends.brian.network import apply_settings, build

    request = MODELS[name](size, 1, 1, precision)
    _written.enter_context(as_written())
    brian2.set_device("neuroglia", target=target, precision=precision)
    brian2.seed(request.seed)
    made = build(request.model, request.images, request.seed, apply_settings)
    return Running(made.objects(), request.model.dt)


@contextlib.contextmanager
def together(target: str, requests: list) -> Iterator[Callable[[int], float]]:
    """Networks in one launch: what runs so many steps of the fastest clock, and says how long the loop took."""
    from neuroglia_snn.program.machine import Status

    runs = backend(target)
    with runs.looked_up(), runs.begun(requests) as begun:
        if len(begun) < len(requests):
            raise SystemExit(f"only {len(begun)} of {len(requests)} networks fit on the GPU")
        first, *others = (drive.machine for _, drive in begun)
        first.join(others)
        clocks = first.program.clocks
        fastest = min(float(clock.dt_) for clock in clocks)

        def run(steps: int) -> float:
            now = [int(clock.variables["timestep"].get_value()[0]) for clock in clocks]
            first.until(
                n + steps if float(clock.dt_) == fastest else clock._i_end
                for n, clock in zip(now, clocks, strict=True)
            )
            began = time.perf_counter()
            while first.advance(60.0) != Status.DONE:
                pass
            return time.perf_counter() - began

        yield run


# ------------------------------------------------------------------------- how it is timed


@contextlib.contextmanager
def memory(target: str) -> Iterator[Callable[[], int | None]]:
    """What the GPU's memory held at most within, beside what it held before, in MiB."""
    program = shutil.which("nvidia-smi") if target == "cuda" else None
    if program is None:
        yield lambda: None
        return
    query = [program, "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    said = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    if not said.isdigit():  # a GPU that shares the machine's memory does not tell
        yield lambda: None
        return
    before = int(said)
    seen = [before]
    with subprocess.Popen([*query, "-lms", "100"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        lines = watch.stdout
        reader = threading.Thread(
            target=lambda: seen.extend(int(n) for n in lines if n.strip().isdigit()), daemon=True
        )
        reader.start()
        try:
            yield lambda: max(seen) - before
        finally:
            watch.kill()
            reader.join()


def times(loops: list[float], steps: int) -> Row:
    """Microseconds a step: the median of the rounds, the fastest and the slowest."""
    us = sorted(loop / steps * 1e6 for loop in loops)
    return {
        "steps": steps,
        "us": round(statistics.median(us), 3),
        "range": [round(us[0], 3), round(us[-1], 3)],
    }


def rounds(run: Callable[[int], float], target: str, steps: int | None, count: int) -> Row:
    """Times of ``run``, which is given a number of steps and says how long its loop took.

    Where the number is not given, a round takes about `SECONDS`. One round alone is the first run.
    """
    began = time.perf_counter()
    with memory(target) as used:
        first = run(steps if steps and count == 1 else FIRST)
        row = {"before s": round(time.perf_counter() - began - first, 2)}
        if steps is None:  # the first run may have waited for the GPU to wake
            each = max(run(FIRST) / FIRST, 1e-9)
            steps = int(min(max(SECONDS / each, FEWEST), MOST))
        row["GPU MiB"] = used()
    loops = [first] if count == 1 else [run(steps) for _ in range(count)]
    return {**row, **times(loops, steps)}


# ------------------------------------------------------------------------------- parts


def copy(target: str, size: int = 1 << 30) -> Row:
    """Bytes that are read and written in a second, which is what a step can do at best."""
    if target == "cpp":
        data, other = np.ones(size, np.uint8), np.zeros(size, np.uint8)
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            np.copyto(other, data)
            taken.append(time.perf_counter() - began)
        return {"bytes a second": 2 * size / min(taken)}
    from neuroglia_snn.backends import toolkit

    tools, gpu = toolkit.find(), toolkit.gpu()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "copy"
        command = [str(tools.nvcc), "-O3", f"-arch={gpu.architecture}", f"-L{tools.libraries}"]
        subprocess.run([*command, str(HERE / "copy.cu"), "-o", str(program)], check=True)
        done = subprocess.run([program], check=True, capture_output=True, text=True)
    return {"bytes a second": float(done.stdout)}


def step(
    target: str, name: str, size: int, steps: int, precision: str = "float64", count: int = ROUNDS
) -> Row:
    """Microseconds of a step of a network of Brian2's, in its first so many steps."""
    began = time.perf_counter()
    network = Network(name, size, target, precision)
    made = round(time.perf_counter() - began, 2)
    row = rounds(network.from_the_start, target, steps, count)
    return {
        "neurons": len(network.neurons),
        "synapses": network.synapses(),
        "made s": made,
        **row,
        "Hz": round(network.rate(), 2),
    }


def model_step(
    target: str,
    name: str,
    size: int,
    precision: str = "float64",
    steps: int | None = None,
    networks: int = 1,
    count: int = ROUNDS,
) -> Row:
    """Microseconds of a step of a model of the catalogue, all networks together."""
    if networks > 1 and backend(target).batch == 1:
        return {"not offered": f"'{backend(target).name}' runs one network after the other"}
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        if networks == 1:
            one = model(name, size, target, precision)
            run = one.from_the_start if steps else one.run
        else:
            requests = [MODELS[name](size, MOST * 20, n, precision) for n in range(1, networks + 1)]
            run = stack.enter_context(together(target, requests))
        made: Row = {"made s": round(time.perf_counter() - began, 2)}
        row = {**made, **rounds(run, target, steps, count)}
    if name == "lattice":
        row["bytes"] = networks * size**2 * VALUES * (4 if precision == "float32" else 8)
    return {"neurons": networks * (size**2 if name == "lattice" else size * 5 // 4), **row}


def agree(target: str, name: str, size: int, steps: int, later: int) -> Row:
    """A network of Brian2's on the target and on the processor: to rounding, and later its rate.

    Where sums are added in another order, spikes come apart in the end: rates may differ by a twentieth.
    """
    found = []
    for where in (target, "cpp"):
        network = Network(name, size, where)
        network.run(steps)
        early, events = network.values(), network.spikes()
        network.run(later)
        found.append((early, events, network.rate()))
    (ours, events, rate), (theirs, others, other_rate) = found
    worst = max(_apart(ours[name], theirs[name]) for name in theirs)
    good = worst < 1e-9 and events == others and abs(rate - other_rate) <= 0.05 * other_rate
    return {
        "largest difference": worst,
        "spikes": [events, others],
        "Hz": [round(rate, 3), round(other_rate, 3)],
        "good": bool(good),
    }


def agree_model(
    target: str, name: str, size: int, steps: int, noisy: bool = False, **changes: str
) -> Row:
    """A model on the target and on the processor: final states to rounding.

    With noise, whose numbers are the same on both, the means.
    """
    requests = [MODELS[name](size, steps, 1, "float64", **changes)] * 2
    ours, theirs = (
        backend(where).run(r) for where, r in zip((target, "cpp"), requests, strict=True)
    )
    worst, spikes = 0.0, []
    for group, states in theirs.final.items():
        for state, values in states.items():
            here = ours.final[group][state]
            if state == "n_spikes":
                spikes += [float(here.sum()), float(values.sum())]
            spread = float(values.std()) or float(np.abs(values).max()) or 1.0
            means = abs(float(here.mean()) - float(values.mean())) / spread
            worst = max(worst, means if noisy else _apart(here, values))
    good = worst < (0.05 if noisy else 1e-9)
    what = "means apart, in spreads" if noisy else "largest difference"
    return {what: float(f"{worst:.3g}"), "spikes": spikes, "good": good}


def _apart(these: np.ndarray, those: np.ndarray) -> float:
    """The largest difference, as a part of the largest value."""
    largest = float(np.abs(those).max()) or 1.0
    return float(np.abs(these - those).max()) / largest


def sanitise(target: str, tool: str, part: str, given: Row) -> Row:
    """What compute-sanitizer says of a part with a tiny network."""
    checker = shutil.which("compute-sanitizer")
    if checker is None:
        return {"not offered": "compute-sanitizer is not installed"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [checker, "--tool", tool, "--target-processes", "application-only"]  # no compiler
        command += ["--error-exitcode", "9", "--log-file", str(log)]
        command += [sys.executable, __file__, part, json.dumps(given), target]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = log.read_text().splitlines() if log.exists() else []
    summaries = [line.strip("= ") for line in said if "SUMMARY" in line]
    good = done.returncode == 0 and bool(summaries)
    row: Row = {"said": summaries[-1] if summaries else "nothing", "good": good}
    return row if good else {**row, "program": _end(done.stderr), "first": said[:12]}


def peer(target: str, name: str, size: int, steps: int, folder: str, count: int = 3) -> Row:
    """Microseconds of a step of the same network in brian2cuda; with "cpp", in Brian2's C++.

    Its project is kept in ``folder``, so that it is compiled once; a ``count`` of 0 does no more than that.
    """
    import brian2

    if target == "cuda" and importlib.util.find_spec("brian2cuda") is None:
        return {"not offered": "brian2cuda is not installed: pip install 'neuroglia_snn[cuda]'"}
    code, began = Path(folder).resolve() / f"{name}-{size}-{steps}-{target}", time.perf_counter()
    note = code / "neuroglia.json"
    if not note.exists():
        shutil.rmtree(code, ignore_errors=True)
        with _standalone(target) as make:
            brian2.seed(1)
            neurons, others = NETWORKS[name](size)
            spikes = brian2.SpikeMonitor(neurons, record=False)
            brian2.Network(neurons, *others, spikes).run(steps * brian2.defaultclock.dt)
            make(code)
            where = brian2.get_device().get_array_filename(spikes.variables["count"])
        row: Row = {"neurons": len(neurons), "before s": round(time.perf_counter() - began, 2)}
        note.write_text(json.dumps({"row": row, "counted": str(where)}))
    kept = json.loads(note.read_text())
    if not count:
        return kept["row"]
    with memory(target) as used:
        loops = [_loop(code) for _ in range(count)]
        row = {**kept["row"], "GPU MiB": used()}
    counted = np.fromfile(code / "results" / Path(kept["counted"]).name, np.int32).sum()
    rate = int(counted) / row["neurons"] / (steps * 1e-4)
    return {**row, **times(loops, steps), "Hz": round(rate, 2)}


@contextlib.contextmanager
def _standalone(target: str) -> Iterator[Callable[[Path], None]]:
    """A standalone device of Brian2's, and what writes and compiles its project."""
    from brian2.devices.device import get_device

    from neuroglia_snn.backends import cuda, toolkit
    from neuroglia_snn.backends.brian import project
    from neuroglia_snn.backends.cuda import patches, units

    if target == "cuda":
        tools = toolkit.find(toolkit.BRIAN2CUDA)
        flags = ["-w", "-use_fast_math"]  # as brian2cuda has them
        device, environment = (
            cuda.device(tools, toolkit.gpu().architecture, flags),
            cuda.environment,
        )
        wait, settings = cuda.WAIT, environment(tools)
    else:
        device, wait, settings = project.device(1), "", None
    with device:
        get_device().insert_code("before_network_run", project.LOOP_BEGINS)
        get_device().insert_code("after_network_run", wait + project.LOOP_ENDS)

        def make(folder: Path) -> None:
            get_device().build(str(folder), compile=False, run=False, with_output=False)
            if target == "cuda":
                patches.apply(folder)
                units.together(folder)
            project.make(folder, False, settings)

        yield make


def _loop(code: Path) -> float:
    """Seconds of the loop of a program's run."""
    from neuroglia_snn.backends.brian.project import loop_seconds

    done = subprocess.run([code / "main"], cwd=code, capture_output=True, text=True, check=False)
    loop = loop_seconds(done.stderr)
    if done.returncode or loop is None:
        raise RuntimeError(f"the program ended with {done.returncode}: {_end(done.stderr)}")
    return loop


def model_peer(target: str, name: str, size: int, steps: int, count: int = 3) -> Row:
    """A model of the catalogue on the backend ``cuda``; with "cpp", on Brian2's C++."""
    from neuroglia_snn import backends

    if target == "cuda" and importlib.util.find_spec("brian2cuda") is None:
        return {"not offered": "brian2cuda is not installed: pip install 'neuroglia_snn[cuda]'"}
    runs, request = backends.get(target), MODELS[name](size, steps, 1, "float64")
    began = time.perf_counter()
    with memory(target) as used:
        loops = [runs.run(request).loop_seconds]
        row = {"before s": round(time.perf_counter() - began - loops[0], 2), "GPU MiB": used()}
    loops += [runs.run(request).loop_seconds for _ in range(count - 1)]
    return {**row, **times(loops, steps)}


def _end(text: str) -> str:
    """The last line that says something."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing said"


PARTS: dict[str, Callable[..., Row]] = {
    made.__name__: made
    for made in (copy, step, model_step, agree, agree_model, sanitise, peer, model_peer)
}


def bound(part: str, target: str, given: Row) -> inspect.BoundArguments:
    """What a part is called with; a TypeError where it does not fit."""
    return inspect.signature(PARTS[part]).bind(target, **given)


def main() -> int:
    """Do a part; 1 and a sentence if it fails."""
    from neuroglia_snn.backends.brian.quiet import hush
    from neuroglia_snn.errors import UserError

    hush()
    name, given, target = sys.argv[1:]
    try:
        arguments = bound(name, target, json.loads(given))
        row = PARTS[name](*arguments.args, **arguments.kwargs)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(row, default=float))
    return 0


if __name__ == "__main__":
    sys.exit(main())
