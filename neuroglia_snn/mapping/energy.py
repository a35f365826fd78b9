"""Energy and time of a placed network, by SANA-FE, from what events cost in published documents."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.catalog.hardware import BARRIERS, COSTS, UNITS
from neuroglia_snn.errors import BackendError
from neuroglia_snn.mapping import replay
from neuroglia_snn.mapping.graph import Connection, Population, Stream
from neuroglia_snn.mapping.observe import Observed
from neuroglia_snn.mapping.place import CORES, Layout, routes

#: Steps that are priced if nobody says otherwise; packets at most, or there are fewer steps.
STEPS, MOST_PACKETS = 100, 500_000
#: Costs without which nothing can be said; others are left at zero, and a sentence says so.
NEEDED = (
    "energy.neuron_active",
    "energy.synaptic_event",
    "time.neuron_active",
    "time.synaptic_event",
)
_MESH = ("mesh_columns", "mesh_rows", "cores_per_tile")
#: Messages that a link holds, of SANA-FE's Loihi: no public document states it.
_LINK_BUFFER = 16


def require(prices: spec.Hardware) -> None:
    """Refuse where SANA-FE is not installed, or costs that all depends on are unknown.

    Raises
    ------
    BackendError
    """
    unknown = [name for name in NEEDED if _cost(prices, name) is None]
    if unknown:
        raise BackendError(
            f"hardware '{prices.name}': {unknown[0]} is in no public document, so energy and time cannot be"
            " worked out; --energy loihi1 prices events by Loihi's published numbers, and a hardware file of"
            " your own may state others"
        )
    if importlib.util.find_spec("sanafe") is None:
        raise BackendError(
            "energy and time are worked out by SANA-FE, which is not installed:"
            " pip install 'neuroglia_snn[sanafe]'"
        )


def _cost(prices: spec.Hardware, name: str) -> float | None:
    """A cost in J or s, or None where it is unknown."""
    entry = prices.costs.get(name)
    if entry is None or not isinstance(entry.value, (int, float)):
        return None
    return float(entry.value) * UNITS[name.partition(".")[0]]


def price(
    observed: Observed,
    layout: Layout,
    chip: spec.Hardware,
    prices: spec.Hardware,
    steps: int = STEPS,
    folder: Path | None = None,
) -> dict[str, Any]:
    """What the last steps of the observed run take on the chip; with ``folder``, keep SANA-FE's files there.

    Raises
    ------
    BackendError
        Where there is nothing to price, or SANA-FE fails.
    """
    require(prices)
    replayed = _Replayed(observed, layout, chip, prices, steps)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return replayed.priced(folder)
    with tempfile.TemporaryDirectory(prefix="neuroglia-sanafe-") as made:
        return replayed.priced(Path(made))


class _Replayed:
    """A placed network as SANA-FE's architecture and network, and what it says of them."""

    def __init__(
        self,
        observed: Observed,
        layout: Layout,
        chip: spec.Hardware,
        prices: spec.Hardware,
        steps: int,
    ) -> None:
        self._observed, self._layout, self._chip, self._prices = observed, layout, chip, prices
        self._on = [p.population for p in layout.placements if p.where == CORES]
        if not layout.cores:
            raise BackendError("nothing of the network is on cores: there is no energy to work out")
        per_chip = chip.number("cores_per_chip") or 1
        if len(layout.cores) > per_chip:
            raise BackendError(
                f"it takes {-(-len(layout.cores) // per_chip)} chips: what a message between chips costs is in"
                " no public document, so energy is worked out for one chip alone"
            )
        self._columns, self._rows, self._per_tile = self._mesh()
        self._notes: list[str] = []
        self._streams = [s for s in observed.graph.streams() if self._inside(s)]
        self._host = self._host_core()
        self._steps = self._window(min(steps, observed.steps))

    def _mesh(self) -> tuple[int, int, int]:
        """Columns and rows of tiles, and cores of each."""
        for source in (self._chip, self._prices):
            numbers = [source.number(name) for name in _MESH]
            if all(numbers):
                columns, rows, cores = (n or 1 for n in numbers)
                if columns * rows * cores < len(self._layout.cores):
                    raise BackendError(
                        f"it takes {len(self._layout.cores)} cores, and the mesh of '{source.name}' has"
                        f" {columns * rows * cores}"
                    )
                return columns, rows, cores
        raise BackendError(
            f"the mesh of '{self._chip.name}' is in no public document: a hardware file of your own may state"
            f" {', '.join(_MESH)}"
        )

    def _connections(self, stream: Stream) -> list[Connection]:
        """A stream's connections to cores."""
        found = [c for c in self._observed.graph.connections if stream in c.streams]
        return [c for c in found if c.target in self._on]

    def _inside(self, stream: Stream) -> bool:
        return bool(self._connections(stream))

    def _host_core(self) -> int:
        """The core from which messages from outside are sent: one that nothing is on, if there is one."""
        if all(s.source in self._on for s in self._streams):
            return 0
        used, cores = len(self._layout.cores), self._columns * self._rows * self._per_tile
        where = f"core {used}, which nothing else is on" if used < cores else "core 0"
        names = sorted({s.source.name for s in self._streams if s.source not in self._on})
        self._notes.append(
            f"messages of {', '.join(names)}, which are not on cores, enter at {where}; what sends them is not"
            " priced"
        )
        return used if used < cores else 0

    def _packets(self) -> float:
        """Packets a step."""
        total = 0.0
        for stream in self._streams:
            units, _ = routes(self._connections(stream), self._layout)
            total += float(self._observed.counts(stream)[units].sum())
        return total

    def _window(self, steps: int) -> int:
        return max(1, min(steps, int(MOST_PACKETS / max(1e-9, self._packets()))))

    # --------------------------------------------------------------------------- files

    def _groups(self) -> list[tuple[Population, Stream | None]]:
        """SANA-FE's groups of neurons: one for each population on cores, and one for each further stream."""
        groups: list[tuple[Population, Stream | None]] = []
        for population in self._on:
            own = [s for s in self._streams if s.source is population]
            groups += [(population, s) for s in own] or [(population, None)]
        return groups + [(s.source, s) for s in self._streams if s.source not in self._on]

    def _places(self, population: Population) -> np.ndarray:
        places = self._layout.core_of[population.name]
        return places if population in self._on else np.full(population.size, self._host)

    def _sent(self, stream: Stream) -> tuple[np.ndarray, np.ndarray]:
        """Step in the window and unit of each message."""
        first = self._observed.steps - self._steps
        if stream.of_values:
            due = np.array(
                [t for t in range(first, self._observed.steps) if t % stream.period == 0]
            )
            units = np.arange(stream.source.size)
            return np.repeat(due - first, units.size).astype(np.int64), np.tile(units, due.size)
        steps, units = self._observed.of(stream)
        inside = steps >= first
        return steps[inside] - first, units[inside]

    def _write(self, folder: Path) -> None:
        groups = self._groups()
        arrays: dict[str, Any] = {"groups": len(groups)}
        somas: list[dict[int, int]] = []
        for number, (population, stream) in enumerate(groups):
            places = self._places(population)
            order = np.argsort(places, kind="stable")
            first = np.searchsorted(places[order], places)
            rank = np.empty(places.size, np.int64)
            rank[order] = np.arange(places.size)
            arrays[f"core_{number}"], arrays[f"soma_{number}"] = places, rank - first
            sent = (np.zeros(0, np.int64),) * 2 if stream is None else self._sent(stream)
            arrays[f"step_{number}"], arrays[f"unit_{number}"] = sent
            cores, counts = np.unique(places, return_counts=True)
            somas.append(dict(zip(cores.tolist(), counts.tolist(), strict=True)))
        first_of = {id(p): n for n, (p, _) in reversed(list(enumerate(groups)))}
        made = 0
        for number, (_, stream) in enumerate(groups):
            for connection in self._connections(stream) if stream else ():
                arrays[f"ends_{made}"] = np.array([number, first_of[id(connection.target)]])
                arrays[f"pairs_{made}"] = np.column_stack((connection.sources, connection.targets))
                made += 1
        np.savez(folder / "network.npz", connections=made, **arrays)
        text = self._architecture(groups, somas, first_of)
        (folder / "architecture.yaml").write_text(text, encoding="utf-8")

    def _architecture(
        self,
        groups: list[tuple[Population, Stream | None]],
        somas: list[dict[int, int]],
        first_of: dict[int, int],
    ) -> str:
        """The chip as SANA-FE reads it."""
        barriers = [self._known(f"time.{name}") for name in BARRIERS]
        lines = [
            f"# {self._chip.title}, priced by {self._prices.title}; written by neuroglia_snn.",
            "architecture:",
            "  name: chip",
            f"  attributes: {{topology: mesh, width: {self._columns}, height: {self._rows}, link_buffer_size: {_LINK_BUFFER},"
            f" sync_model: table, latency_sync: {{1: {barriers[0]:.6g}, 2: {barriers[1]:.6g}}}}}",
            "  tile:",
        ]
        hops = ", ".join(
            f"{what}_{side}_hop: {self._known(f'{table}.hop_{axis}'):.6g}"
            for what, table in (("energy", "energy"), ("latency", "time"))
            for side, axis in (
                ("north", "north_south"),
                ("east", "east_west"),
                ("south", "north_south"),
                ("west", "east_west"),
            )
        )
        for tile in range(self._columns * self._rows):
            lines += [f"    - name: tile{tile}", f"      attributes: {{{hops}}}", "      core:"]
            for core in range(tile * self._per_tile, (tile + 1) * self._per_tile):
                lines += self._core(core, groups, somas, first_of)
        return "\n".join([*lines, ""])

    def _core(
        self,
        core: int,
        groups: list[tuple[Population, Stream | None]],
        somas: list[dict[int, int]],
        first_of: dict[int, int],
    ) -> list[str]:
        here = {n: found[core] for n, found in enumerate(somas) if core in found}
        units = sum(here.values())
        dendrites = -(-max(1, units) // replay.DENDRITES)
        lines = [
            f"        - name: core{core}",
            "          attributes: {buffer_position: soma, buffer_inside_unit: false,"
            f" max_neurons_supported: {max(1, units)}}}",
            *_unit("axon_in", "in", message_in=self._both("message_in")),
            *_unit(
                "synapse", "synapses", "current_based", process_spike=self._both("synaptic_event")
            ),
            *_unit("dendrite", f"dendrite[0..{dendrites - 1}]", "accumulator", update=(0.0, 0.0)),
            "          soma:",
        ]
        for number, count in here.items() if here else ((0, 1),):
            population = groups[number][0]
            integrates = number == first_of[id(population)] and population in self._on
            access = self._updated(population) if integrates and here else (0.0, 0.0)
            lines += _entry(
                f"soma{number if here else ''}[0..{count - 1}]",
                "input",
                access_neuron=access,
                update_neuron=(0.0, 0.0),
                spike_out=self._both("spike_out") if here and groups[number][1] else (0.0, 0.0),
            )
        return lines + _unit("axon_out", "out", message_out=self._both("message_out"))

    def _updated(self, population: Population) -> tuple[float, float]:
        """What a unit takes in a step: a slower one is active in each of its own steps, and inactive between."""
        period = max(1, population.period)
        costs = []
        for table in ("energy", "time"):
            active, inactive = (self._known(f"{table}.neuron_{s}") for s in ("active", "inactive"))
            costs.append((active + (period - 1) * inactive) / period)
        return costs[0], costs[1]

    def _both(self, event: str) -> tuple[float, float]:
        return self._known(f"energy.{event}"), self._known(f"time.{event}")

    def _known(self, name: str) -> float:
        """A cost, 0 where it is unknown."""
        return _cost(self._prices, name) or 0.0

    # ------------------------------------------------------------------------- results

    def priced(self, folder: Path) -> dict[str, Any]:
        """Write SANA-FE's files, run it, and say what it found."""
        self._write(folder)
        results = _run(folder, self._steps)
        (folder / "network.npz").unlink()  # network.yaml says the same
        steps = self._steps
        learning = self._learning()
        parts = {name: results["energy"][name] / steps for name in ("soma", "synapse", "network")}
        parts["learning"] = learning
        total = sum(parts.values())
        events, spikes = results["spikes"], results["neurons_fired"]
        each = {}
        if spikes:
            each["unit event"] = total * steps / spikes
        if events:
            each["synaptic event"] = total * steps / events
        barrier = self._known("time.barrier_all_tiles")
        return {
            "sanafe": importlib.metadata.version("sanafe"),
            "priced_by": self._prices.name,
            "steps": steps,
            "messages": results["packets_sent"],
            "synaptic_events": events,
            "events": spikes,
            "hops": results["hops"],
            "energy_per_step_J": total,
            "energy_per_step_by_part_J": parts,
            "energy_per_event_J": each,
            "time_per_step_s": results["sim_time"] / steps,
            "busiest_core": self._busiest_core(results),
            "busiest_link": self._busiest_link(results),
            "notes": [*self._notes, *self._simulated(barrier)],
            "sources": {
                name: f"{entry.value} {'pJ' if name.startswith('energy') else 'ns'}: {entry.source} ({entry.confidence} confidence)"
                for name, entry in self._prices.costs.items()
                if entry.value is not None
            },
        }

    def _learning(self) -> float:
        """Energy a step of writes to learnt values, which SANA-FE does not know."""
        updates = sum(
            self._observed.updates(c)
            for c in self._observed.graph.connections
            if c.updates and c.target in self._on
        )
        return updates * self._known("energy.synaptic_update")

    def _busiest_core(self, results: dict[str, Any]) -> str:
        core = results["busiest_core"]
        if core is None:
            return "none"
        held = self._layout.cores[core].parts if core < len(self._layout.cores) else ()
        names = ", ".join(p.population.name for p in held) or "messages from outside"
        sends, receives = (s / self._steps * 1e6 for s in results["busiest_core_seconds"])
        return f"core {core} ({names}): updates and sends for {sends:.4g} us a step, receives for {receives:.4g} us"

    def _busiest_link(self, results: dict[str, Any]) -> str:
        if results["busiest_link"] is None:
            return "none: no message leaves its tile"
        start, end = (tuple(place) for place in results["busiest_link"])
        each = results["busiest_link_messages"] / self._steps
        return f"from tile {start} to tile {end}: {each:.4g} messages a step"

    def _simulated(self, barrier: float) -> list[str]:
        """What was simulated, and what was not."""
        unknown = [
            f"{table}.{name}"
            for table, names in COSTS.items()
            for name in names
            if _cost(self._prices, f"{table}.{name}") is None
        ]
        said = [
            f"simulated were the last {self._steps} of {self._observed.steps} observed steps: every unit repeats its"
            " recorded spikes, or sends its value when it is due, to the cores of the placement",
            "a unit counts as active in every step of its population",
            f"a link holds {_LINK_BUFFER} messages, as in SANA-FE's Loihi; synapses' delays change no cost",
        ]
        if unknown:
            said.append(f"in no public document, so left at zero: {', '.join(unknown)}")
        if barrier:
            said.append("steps of more than one tile end with the longest published barrier")
        if any(c.updates and c.target in self._on for c in self._observed.graph.connections):
            said.append("learning is counted, and not simulated: updates of synapses by their cost")
        elsewhere = [p for p in self._layout.placements if p.where != CORES]
        if elsewhere:
            names = ", ".join(p.population.name for p in elsewhere)
            said.append(f"what is not on cores is not priced: {names}")
        said.append("leakage and the embedded processors are not in these numbers")
        return said


def _unit(kind: str, name: str, model: str = "", **costs: tuple[float, float]) -> list[str]:
    return [f"          {kind}:", *_entry(name, model, **costs)]


def _entry(name: str, model: str, **costs: tuple[float, float]) -> list[str]:
    given = [f"model: {model}"] if model else []
    given += [
        f"{what}_{event}: {value:.6g}"
        for event, both in costs.items()
        for what, value in zip(("energy", "latency"), both, strict=True)
    ]
    return [f"            - name: {name}", f"              attributes: {{{', '.join(given)}}}"]


def _run(folder: Path, steps: int) -> dict[str, Any]:
    """What SANA-FE prints of a folder, run in a process of its own."""
    command = [sys.executable, str(Path(replay.__file__)), str(folder), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        reason = said[-1] if said else f"exit status {done.returncode}"
        raise BackendError(f"SANA-FE failed: {reason}")
    return json.loads(lines[-1])
