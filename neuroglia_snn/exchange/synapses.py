"""Projections of a model as lines of a Brian2 script: synapses, their connections, and turns of their sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from zlib import crc32

import numpy as np
from brian2.units.allunits import second

from neuroglia_snn import spec
from neuroglia_snn.exchange import schemes, text
from neuroglia_snn.exchange.groups import AGAIN, Context, initial
from neuroglia_snn.exchange.names import pathway
from neuroglia_snn.exchange.plain import spelled
from neuroglia_snn.language import algebra, couplings, geometry, stages
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.pathways import reads_what_it_changes

#: As many listed pairs stand in the script; more are in the file beside it.
MAX_PAIRS = 50


def projection(context: Context, p: spec.Projection) -> list[str]:
    """Synapses with their connections, initial values and delays."""
    name = context.names.groups[p.name]
    recomputed = couplings.recomputed(context.model, p.target.name)
    again = [one for one in recomputed if one.projection.name == p.name]
    at_once = reads_what_it_changes(context.model, p)
    warning = f"'{at_once}' acts synapse after synapse: not with prefs.codegen.target = 'numpy'"
    delays = {n: _delay(context, p, n, d) for n, d in p.delay.items()}
    return [
        *(text.comment(warning) if at_once else []),
        text.call("Synapses", _arguments(context, p, again), to=name),
        *_turns(context, p, again),
        *_connections(context, p),
        *initial(context, name, p),
        *(f"{name}.{pathway(n)}.delay = {delay}" for n, delay in delays.items() if delay),
    ]


def _arguments(context: Context, p: spec.Projection, again: list[couplings.Sum]) -> list[str]:
    """What synapses are made of."""
    equations = [text.equation(e) for e in eqs.parse(p.equations).values()]
    equations += [_again(context.model, p, one) for one in again]
    arguments = [_endpoint(context, p.source), _endpoint(context, p.target)]
    if equations:
        arguments.append(text.code("\n".join(equations)))
    arguments += _pathways("on_pre", p.on_pre) + _pathways("on_post", p.on_post)
    events = {pathway(n): p.on_event.get(n, "spike") for n in (*p.on_pre, *p.on_post)}
    if any(event != "spike" for event in events.values()):
        arguments.append(f"on_event={events!r}")
    fixed = {pathway(n): _fixed(d) for n, d in p.delay.items() if _fixed(d)}
    if fixed:
        delays = ", ".join(f"{n!r}: {delay}" for n, delay in fixed.items())
        alone = list(fixed) == ["pre"] and [*p.on_pre, *p.on_post] == ["pre"]
        arguments.append(f"delay={fixed['pre']}" if alone else f"delay={{{delays}}}")
    arguments += context.method(schemes.scheme(p))
    arguments += context.clock(p.dt) if _has_a_clock(context.model, p) else []
    return [*arguments, f"name={context.names.label(p.name)!r}"]


def _fixed(delay: spec.Value) -> str | None:
    """A delay that all synapses have."""
    return text.quantity(delay) if isinstance(delay, str) else None


def _delay(context: Context, p: spec.Projection, name: str, delay: spec.Value) -> str | None:
    """Delays that synapses have each of their own."""
    if isinstance(delay, spec.Values):
        return context.array(f"delay.{p.name}.{name}", delay.flat, second.dim)
    return None if _fixed(delay) else text.code(delay)


def _has_a_clock(model: spec.Model, p: spec.Projection) -> bool:
    """Whether anything follows the clock of the synapses; sums follow that of their target."""
    target = model.populations.get(p.target.name) or model.projections[p.target.name]
    filled = any(other.target.name == p.name for other in model.projections.values())
    moves = any(e.kind == "differential" for e in eqs.parse(p.equations).values())
    named = frozenset().union(*map(algebra.names, eqs.texts(p)))
    timed = bool({"t", "dt", "t_in_timesteps"} & named)
    return moves or timed or filled or p.dt != target.dt


def _endpoint(context: Context, endpoint: spec.Endpoint) -> str:
    part = "" if endpoint.start is None else f"[{endpoint.start}:{endpoint.stop}]"
    return context.names.groups[endpoint.name] + part


def _pathways(key: str, codes: Mapping[str, str]) -> list[str]:
    """The ``on_pre`` or ``on_post`` argument."""
    if not codes:
        return []
    if list(codes) == [key.removeprefix("on_")]:
        return [f"{key}={text.code(*codes.values())}"]
    parts = ", ".join(f"{pathway(n)!r}: {text.code(code)}" for n, code in codes.items())
    return [f"{key}={{{parts}}}"]


# ------------------------------------------------------------------------------- sums


def _again(model: spec.Model, p: spec.Projection, one: couplings.Sum) -> str:
    """The equation of a sum that is taken again, of predicted states."""
    later = couplings.later(model, p.target.name)
    sides = {f"{n}_{side}": f"{later[n]}_{side}" for n in later for side in ("pre", "post")}
    value = spelled(algebra.substituted(one.text, sides | {"t": later["t"]}))
    own = eqs.endpoint_variables(model, p.target)[one.variable]
    end = f" : {text.base_unit(own.dimensions)} (summed)"
    return text.wrapped(f"{later[one.variable]}_post = {value}", end)


def _turns(context: Context, p: spec.Projection, again: list[couplings.Sum]) -> list[str]:
    """When sums are taken, where Brian2 would take them at another time."""
    name, model = context.names.groups[p.name], context.model
    own, every = couplings.sums(model, p), couplings.all_sums(model)
    target = model.populations.get(p.target.name) or model.projections[p.target.name]
    lines = []
    if own and p.dt != target.dt:
        lines += [
            "# these sums are taken on the clock of the synapses, and held in between",
            f"for updater in {name}.summed_updaters.values():",
            f"    updater._clock = {name}.clock",
        ]
    if own and _out_of_order(context, every):
        lines.append("# the turn among the sums of a step, of which some read what others fill")
        for one in own:
            place = every.index(one) - len(every)
            lines.append(f"{name}.summed_updaters['{one.variable}_post'].order = {place}")
    if again:
        lines.append("# between predictor and corrector")
        recomputed = couplings.recomputed(model, p.target.name)
        for one in again:
            updater = f"{name}.summed_updaters['{stages.predicted(one.variable)}_post']"
            lines.append(f"{updater}.order = {AGAIN + recomputed.index(one)}")
    return lines


def _out_of_order(context: Context, sums: list[couplings.Sum]) -> bool:
    """Whether Brian2, which goes by the names of its objects, takes sums in another order."""

    def brian(one: couplings.Sum) -> str:
        return f"{context.names.label(one.projection.name)}_summed_variable_{one.variable}_post"

    return sorted(sums, key=brian) != sums


# ------------------------------------------------------------------------- connections


def _connections(context: Context, p: spec.Projection) -> list[str]:
    name, rule = context.names.groups[p.name], p.connect["rule"]
    if rule == "lattice":
        return _lattice(context, p, name)
    if rule == "footprint":
        watched, watchers = p.source.name, p.target.name
        under, size = context.names.under, p.connect["size"][0] * p.connect["size"][1]
        count = context.model.populations[watchers].size
        lines = _footprints(context, p, watched, watchers)
        targets = f"np.repeat(np.arange({count}), {size})"
        return [*lines, text.call(f"{name}.connect", [f"i={under}.ravel()", f"j={targets}"])]
    if rule == "first-footprint":
        site, under = context.names.site, context.names.under
        size = p.connect["size"][0] * p.connect["size"][1]
        lines = _footprints(context, p, p.target.name, p.source.name)
        lines.append(
            f"{site}, {under} = np.unique({under}.ravel(), return_index=True)  # the first"
        )
        return [*lines, f"{name}.connect(i={under} // {size}, j={site})"]
    if rule == "pairs":
        return _pairs(context, p, name)
    if rule == "one-to-one":
        return [f"{name}.connect(j='i')"]
    if rule == "third-in":
        return _third_in(context, p, name)
    if rule == "third-out":
        return _third_out(context, p, name)
    if rule == "generator":
        chosen = p.connect["iterator"][2]
        generator = f"{chosen}={text.code(eqs.generator(p.connect))}"
        return [text.call(f"{name}.connect", [generator, "skip_if_invalid=True"])]
    written = {"condition": text.value, "p": text.value, "n": text.code}  # no float is an n
    arguments = [f"{k}={w(str(p.connect[k]))}" for k, w in written.items() if k in p.connect]
    return [text.call(f"{name}.connect", arguments)]


def _third_in(context: Context, p: spec.Projection, name: str) -> list[str]:
    """Synapses that are drawn, and a unit of their target's pool for each; as `third_factor.paired` draws."""
    names, model, given = context.names, context.model, p.connect
    primary, random = names.groups[given["of"].name], names.random
    (synapses, units), (_, slots) = names.paired[p.name], names.sides
    target, size = model.projections[given["of"].name].target, given["pool_size"]
    targets, thirds = (end.size_in(model.populations[end.name]) for end in (target, p.target))
    if given["block"]:
        owned = f"{primary}.j[:][{synapses}] // {max(1, targets // thirds)} * {size} + {slots}"
    else:
        pools = f"[{random}.choice({thirds}, {size}, replace=False) for _ in range({targets})]"
        owned = f"np.array({pools})[{primary}.j[:][{synapses}], {slots}]"
    return [
        f"# synapses of {given['of']}, each with a unit of {p.target} of its target's pool",
        f"{random} = np.random.default_rng([{context.seed}, {crc32(p.name.encode())}])",
        f"{synapses} = np.flatnonzero({random}.random(len({primary})) < {given['p']!r})",
        f"{slots} = {random}.integers({size}, size=len({synapses}), dtype=np.int32)",
        f"{units} = {owned}",
        f"{name}.connect(i={primary}.i[:][{synapses}], j={units})",
    ]


def _third_out(context: Context, p: spec.Projection, name: str) -> list[str]:
    """One connection of every two units that share synapses, with the number of these."""
    names, of = context.names, p.connect["of"].name
    primary = context.model.projections[of].connect["of"].name
    (synapses, units), (places, number) = names.paired[of], names.sides
    size = p.target.size_in(context.model.populations[p.target.name])
    targets = f"{names.groups[primary]}.j[:][{synapses}]"
    return [
        f"{places} = {units}.astype(np.int64) * {size} + {targets}",
        f"{places}, {number} = np.unique({places}, return_counts=True)",
        f"{name}.connect(i={places} // {size}, j={places} % {size})",
        f"{name}.multiplicity = {number}",
    ]


def _lattice(context: Context, p: spec.Projection, name: str) -> list[str]:
    """Each unit and those beside it on the lattice, beyond whose edges there is nothing, or the other side."""
    shape, site = context.model.populations[p.source.name].shape, context.names.site
    steps = geometry.lattice_steps(len(shape), p.connect.get("neighbours"))
    a, b = context.names.sides
    sites = f"{site} = np.arange({prod(shape)})"
    sites += f".reshape({', '.join(map(str, shape))})" if len(shape) > 1 else ""
    if p.connect.get("edges") == "periodic":
        axes = tuple(range(len(shape)))
        rolled = ", ".join(f"np.roll({site}, {step}, {axes}).ravel()" for step in steps)
        return [
            "# each unit and its neighbours on the lattice, whose edges meet",
            sites,
            text.call("np.concatenate", [f"[{rolled}]"], to=a),
            f"{name}.connect(i={a}, j=np.tile({site}.ravel(), {len(steps)}))",
        ]
    half = [step for step in steps if next(filter(None, step)) < 0]
    one, other = (
        ", ".join(f"{site}{_slices(step, sign)}.ravel()" for step in half) for sign in (1, -1)
    )
    return [
        "# each unit and its neighbours on the lattice, in both directions; none beyond the edges",
        sites,
        text.call("np.concatenate", [f"[{one}]"], to=a),
        text.call("np.concatenate", [f"[{other}]"], to=b),
        f"{name}.connect(i=np.concatenate([{a}, {b}]), j=np.concatenate([{b}, {a}]))",
    ]


def _slices(step: Sequence[int], sign: int) -> str:
    """The sites that have one a step away: those before it, or (with the sign) those behind."""
    parts = [{-1: ":-1", 0: ":", 1: "1:"}[n * sign] for n in step]
    while parts[-1] == ":":
        parts.pop()
    return f"[{', '.join(parts)}]"


def _footprints(context: Context, p: spec.Projection, watched: str, watchers: str) -> list[str]:
    """Lines that make an array of the units under each footprint, a row each."""
    site, under = context.names.site, context.names.under
    rows, columns = context.model.populations[watched].shape
    down, across = context.model.populations[watchers].shape
    size, step = p.connect["size"], p.connect["step"]
    return [
        f"# each unit of {watchers} over {size[0]} x {size[1]} units of {watched},"
        f" {step[0]} rows or {step[1]} columns from the next",
        f"{site} = np.arange({rows * columns}).reshape({rows}, {columns})",
        f"{under} = np.lib.stride_tricks.sliding_window_view({site}, ({size[0]}, {size[1]}))",
        f"{under} = {under}[::{step[0]}, ::{step[1]}][:{down}, :{across}].reshape({down * across}, -1)",
    ]


def _pairs(context: Context, p: spec.Projection, name: str) -> list[str]:
    pairs = np.asarray(p.connect["pairs"], dtype=int).reshape(-1, 2)
    if len(pairs) <= MAX_PAIRS:
        i, j = (text.integers(side) for side in pairs.T)
        return [text.call(f"{name}.connect", [f"i={i}", f"j={j}"])]
    keys = f"pairs.{p.name}.i", f"pairs.{p.name}.j"
    context.data |= dict(zip(keys, pairs.T, strict=True))
    return [f"{name}.connect(i=data[{keys[0]!r}], j=data[{keys[1]!r}])"]
