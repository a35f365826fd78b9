"""Well-formed small models from a seed, and whether the backends agree on their numbers.

A model is made of parts, each with populations and projections of its own, so that many of them are
compiled as one program. Every number that an expression names is a parameter: a run with all of them,
and the initial values, moved by a few roundings says how far rounding alone carries each variable.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzz import contract, whole
from neuroglia_snn import backends, spec
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.errors import NumericalError, UserError

STEPS, DT_MS = 20, 0.05
#: How far parameters and initial values are moved, and what stands for the rounding of a step.
MOVE, ROUNDING = 1e-13, 1e-12
#: Integrators without noise.
SCHEMES = ("euler", "heun", "rk2", "rk4")
NUMBERS = ("0", "1", "2", "3", "0.5", "-1", "0.1", "7")


@dataclass(frozen=True)
class Part:
    """Tables of one part of a model, all of whose names hold its number."""

    seed: int
    tables: whole.Tables

    @property
    def record(self) -> str:
        """Name of the record of all its variables."""
        return f"r{self.seed}"


class _Maker:
    """Expressions of one part, right in their types."""

    def __init__(self, rng: random.Random, seed: int):
        self.rng, self.seed = rng, seed
        self.parameters = {
            f"p{seed}{c}": rng.choice(("0.5", "0.1", "-1", "2", "1.3")) for c in "abc"
        }
        self.shift = f"p{seed}q"
        self.parameters[self.shift] = "0.0137"
        self.floats = [f"x{n}" for n in range(rng.choice((1, 2, 2, 3)))]
        self.integers = ["k"] if rng.random() < 0.6 else []
        self.booleans = ["b"] if rng.random() < 0.4 else []
        self.names = [*self.floats]

    def real(self, depth: int) -> str:
        """A number."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.12:
            return rng.choice(
                (*self.names * 2, *self.parameters, *NUMBERS, f"(t/ms + {self.shift})", "i/N")
            )
        a, b = self.real(depth - 1), self.real(depth - 1)
        kind = rng.random()
        if kind < 0.45:
            return f"({a} {rng.choice('+-**/')} {b})"
        if kind < 0.55:
            divisor = b if rng.random() < 0.5 else rng.choice(list(self.parameters))
            return f"({a} {rng.choice(('//', '%'))} {divisor})"
        if kind < 0.62:
            return f"({a})**{rng.choice(('2', '3', '0.5', '-1', '0', self.real(0)))}"
        if kind < 0.67:
            return f"-({a})"
        if kind < 0.71:
            return f"clip({a}, {b}, {self.real(depth - 1)})"
        if kind < 0.76:
            return f"int({self.condition(depth - 1)})"
        if kind < 0.79 and self.integers:
            return self.whole(depth - 1)
        functions = (
            "exp",
            "log",
            "sqrt",
            "sin",
            "cos",
            "tan",
            "tanh",
            "abs",
            "floor",
            "ceil",
            "sign",
        )
        functions += (
            "arcsin",
            "arccos",
            "arctan",
            "sinh",
            "cosh",
            "log10",
            "exprel",
            "expm1",
            "log1p",
        )
        return f"{rng.choice(functions)}({a})"

    def whole(self, depth: int) -> str:
        """A whole number."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.3:
            return rng.choice((*self.integers, "i", "N", "1", "2", "3", "-2"))
        a, b = self.whole(depth - 1), self.whole(depth - 1)
        kind = rng.random()
        if kind < 0.6:
            return f"({a} {rng.choice('+-*')} {b})"
        if kind < 0.75:
            return f"({a} {rng.choice(('//', '%'))} {rng.choice(('2', '3', '-3', '7', b))})"
        return f"int({self.condition(depth - 1)})" if kind < 0.9 else f"int({self.real(depth - 1)})"

    def condition(self, depth: int) -> str:
        """True or false."""
        rng = self.rng
        if depth > 0 and rng.random() < 0.35:
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            return f"({a} {rng.choice(('and', 'or'))} {b})" if rng.random() < 0.8 else f"not ({a})"
        if self.booleans and rng.random() < 0.3:
            return rng.choice(self.booleans)
        a, b = self.real(depth - 1), self.real(depth - 1)
        return f"{a} {rng.choice(('<', '<=', '>', '>='))} {b}"

    def statements(self) -> str:
        """A few assignments, some to a local variable that the next ones name."""
        rng, lines = self.rng, []
        names = list(self.names)
        for n in range(rng.choice((1, 1, 2, 3))):
            kind = rng.random()
            if kind < 0.5:
                operator = rng.choice(("=", "=", "+=", "-=", "*=", "/="))
                lines.append(f"{rng.choice(self.floats)} {operator} tanh({self.real(2)})")
            elif kind < 0.65 and self.integers:
                lines.append(f"k {rng.choice(('=', '+=', '-=', '*='))} {self.whole(2)}")
            elif kind < 0.75 and self.booleans:
                lines.append(f"b = {self.condition(2)}")
            else:
                lines.append(f"local{n} = {self.real(2)}")
                self.names.append(f"local{n}")
        self.names = names
        return "\n".join(lines)


def part(seed: int) -> Part:
    """The part of a seed."""
    rng = random.Random(f"model {seed}")
    make = _Maker(rng, seed)
    name, lattice = f"g{seed}", rng.random() < 0.5
    lines = []
    if rng.random() < 0.5:
        lines.append(f"s = {make.real(3)} : 1")
        make.names.append("s")
    coupled = rng.random() < 0.5
    for n, x in enumerate(make.floats):
        pushed = "LL + " if coupled and n == 0 else ""
        noise = " + 0.1*xi*ms**-0.5" if n == 0 and rng.random() < 0.2 else ""
        lines.append(f"d{x}/dt = ({pushed}-{x} + tanh({make.real(3)}))/ms{noise} : 1")
    lines += ["LL : 1"] * coupled
    lines += [f"{k} : integer" for k in make.integers] + [f"{b} : boolean" for b in make.booleans]
    rng.shuffle(lines)
    population: whole.Tables = {"shape": rng.choice(([4, 4], [1, 5], [3, 2]))} if lattice else {}
    population |= {} if lattice else {"size": rng.choice((1, 3, 8))}
    noisy = any("xi" in line for line in lines)
    population["integrator"] = "heun" if noisy else rng.choice(SCHEMES)
    population["equations"] = "\n".join(lines)
    population["initial"] = {x: rng.choice(("0.5", "0.1*i/N", "-1", "0")) for x in make.floats}
    if make.integers and rng.random() < 0.5:
        population["initial"]["k"] = rng.choice(("3", "i", "7*i - 2"))
    if rng.random() < 0.5:
        population["threshold"] = make.condition(2)
        if rng.random() < 0.8:
            population["reset"] = make.statements()
        if rng.random() < 0.2:
            population["refractory"] = rng.choice(("0.2 ms", "0.13 ms", "x0 > 0.2"))
    if rng.random() < 0.3:
        every = rng.choice(("0.05 ms", "0.2 ms"))
        population["regularly"] = [{"code": make.statements(), "dt": every}]
    tables: whole.Tables = {"parameters": make.parameters, "population": {name: population}}
    recorded = [*make.floats, *make.integers, *make.booleans]
    if coupled:
        tables["projection"] = {f"c{seed}": _coupling(make, name, population)}
    tables["record"] = {f"r{seed}": {"population": name, "variables": recorded}}
    if "threshold" in population:
        tables["record"][f"e{seed}"] = {"population": name, "events": True}
    return Part(seed, tables)


def _coupling(make: _Maker, name: str, population: whole.Tables) -> whole.Tables:
    rng = make.rng
    size = int(np.prod(population.get("shape", [population.get("size", 1)])))
    rules: list[whole.Tables] = [
        {"rule": "pairs", "pairs": [[rng.randrange(size), rng.randrange(size)] for _ in range(4)]},
        {"rule": "one-to-one"},
        {"rule": "all"},
        {"rule": "condition", "condition": rng.choice(("i != j", "abs(i - j) == 1", "i < j"))},
    ]
    if "shape" in population:
        rules += [{"rule": "lattice", "neighbours": n} for n in (4, 8)] * 2
    terms = ("x0_pre - x0_post", "x0_pre", "tanh(x0_pre*x0_post)", "sin(x0_pre)/(1 + x0_post**2)")
    share = rng.choice(("", "/N_incoming", "/N_incoming"))
    make.names = [f"{x}_{side}" for x in make.floats for side in ("pre", "post")]
    make.integers, make.booleans = [], []
    term = rng.choice(terms) if rng.random() < 0.5 else f"tanh({make.real(3)})"
    return {
        "from": name,
        "to": name,
        "connect": rng.choice(rules),
        "equations": f"LL_post = ({term}){share} : 1 (summed)",
    }


def joined(parts: Iterable[Part]) -> whole.Tables:
    """One model of many parts."""
    model: whole.Tables = {
        "model": {
            "noise": "stratonovich",
            "dt": f"{DT_MS} ms",
            "duration": f"{STEPS * DT_MS:g} ms",
        }
    }
    for each in parts:
        for kind, tables in each.tables.items():
            model.setdefault(kind, {}).update(tables)
    return model


def write(folder: Path, parts: Iterable[Part]) -> Path:
    """The model file of some parts."""
    path = folder / "model.toml"
    path.write_text(whole.dumps(joined(parts)), encoding="utf-8")
    return path


def run(model: spec.Model, backend: str) -> Outcome | UserError:
    """What a backend gives, or the sentence with which it refuses."""

    def call() -> Outcome:
        chosen = backends.choose(backend, model)
        return chosen.run(Request(model, seed=1))

    with np.errstate(all="ignore"):
        return contract.held(call, seconds=600)


def moved(model: spec.Model, factor: float) -> spec.Model:
    """The model with all parameters and initial values of numbers a little larger."""
    parameters = {
        n: dataclasses.replace(p, value=p.value._replace(si=p.value.si * factor))
        for n, p in model.parameters.items()
    }
    populations = {}
    for name, p in model.populations.items():
        counted = re.findall(r"^(\w+) : (?:integer|boolean)", p.equations, re.MULTILINE)
        initial = {v: t if v in counted else f"({t})*{factor!r}" for v, t in p.initial.items()}
        populations[name] = dataclasses.replace(p, initial=initial)
    return dataclasses.replace(model, parameters=parameters, populations=populations)


@dataclass(frozen=True)
class Reference:
    """What numpy gives for a part, and how far rounding carries it."""

    outcome: Outcome
    around: tuple[Outcome, Outcome]


def reference(model: spec.Model) -> Reference | UserError:
    """Runs of one model on numpy."""
    middle = run(model, "numpy")
    if isinstance(middle, UserError):
        return middle
    sides = [run(moved(model, 1 + sign * MOVE), "numpy") for sign in (1, -1)]
    for side in sides:
        if isinstance(side, UserError):  # on the edge of what is finite
            return side
    return Reference(middle, (sides[0], sides[1]))  # type: ignore[arg-type]


def difference(one: Part, found: Outcome, against: Reference) -> str:
    """Where a backend's numbers are further from numpy's than rounding carries them, or nothing."""
    right = against.outcome
    values = right.records[one.record].values
    for variable, theirs in values.items():
        ours = found.records[one.record].values[variable]
        theirs, ours = np.asarray(theirs, float), np.asarray(ours, float)
        if ours.shape != theirs.shape:
            return f"{variable}: {ours.shape} against {theirs.shape}"
        around = [np.asarray(o.records[one.record].values[variable], float) for o in against.around]
        reach = np.maximum.accumulate(
            np.max([np.abs(side - theirs) for side in around], axis=0).max(axis=1)
        )
        allowed = 10 * reach + ROUNDING * np.maximum(1, np.abs(theirs).max(axis=1))
        off = np.abs(ours - theirs).max(axis=1)
        bad = ~(off <= allowed)
        if bad.any():
            step = int(np.argmax(bad))
            unit = (
                int(np.nanargmax(np.abs(ours[step] - theirs[step])))
                if off[step] == off[step]
                else 0
            )
            return (
                f"{variable} of unit {unit} in step {step}: {ours[step, unit]!r}, numpy"
                f" {theirs[step, unit]!r}, where rounding is worth {allowed[step]:.1e}"
            )
    event = f"e{one.seed}"
    if event in right.events:
        same = [np.array_equal(right.events[event], o.events[event]) for o in against.around]
        if all(same) and not np.array_equal(
            np.round(np.array(found.events[event]), 9), np.round(np.array(right.events[event]), 9)
        ):
            return f"events: {len(found.events[event][0])}, numpy {len(right.events[event][0])}"
    return ""


def compared(
    parts: Mapping[int, tuple[Part, Reference]], folder: Path, backend: str
) -> dict[int, str]:
    """Seeds of parts on which a backend does not agree, and how; a program that fails is cut in two."""
    if not parts:
        return {}
    model = contract.check(write(folder, (p for p, _ in parts.values())))
    if model is None:
        return dict.fromkeys(parts, "refused by `check` together, though not alone")
    outcome = run(model, backend)
    if isinstance(outcome, UserError):
        if len(parts) == 1:
            return {seed: f"{backend} refuses: {outcome}" for seed in parts}
        seeds = list(parts)
        halves = (seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :])
        found: dict[int, str] = {}
        for half in halves:
            found |= compared({s: parts[s] for s in half}, folder, backend)
        return found
    said = {seed: difference(p, outcome, against) for seed, (p, against) in parts.items()}
    return {seed: f"{backend}: {text}" for seed, text in said.items() if text}


def sound(seeds: Iterable[int], folder: Path) -> dict[int, tuple[Part, Reference]]:
    """Parts that pass `check` and stay finite on numpy, with their references."""
    found = {}
    for seed in seeds:
        one = part(seed)
        model = contract.check(write(folder, [one]))
        if model is None:
            continue
        against = reference(model)
        if isinstance(against, Reference):
            found[seed] = (one, against)
        elif not isinstance(against, NumericalError):
            raise contract.BrokenError("numpy refuses what `check` passes", str(against))
    return found


def unsound(seeds: Iterable[int], folder: Path) -> Iterator[tuple[int, spec.Model]]:
    """Models that pass `check` and that numpy refuses as not finite."""
    for seed in seeds:
        model = contract.check(write(folder, [part(seed)]))
        if model is not None and isinstance(run(model, "numpy"), NumericalError):
            yield seed, model
