"""Models as text for people: a description, and what differs between two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from neuroglia_snn import spec
from neuroglia_snn.catalog.source import Document, read_document
from neuroglia_snn.errors import UserError, printable
from neuroglia_snn.language.equations import generator, model_parameters, split_equations
from neuroglia_snn.language.quantities import parse_quantity, unit_name


def describe(model: spec.Model) -> str:
    """All that makes a model's numbers, and what its file says about them."""
    lines = [model.title, *(f"  {line}" for line in model.description.splitlines())]
    if model.doi:
        lines.append(f"  doi {model.doi}")
    noise = f", {model.noise} noise" if model.noise else ""
    lines += ["", f"{_ms(model.duration)} in steps of {_ms(model.dt)}{noise}"]
    if model.precision != spec.PRECISIONS[0]:
        lines.append(f"precision {model.precision}")
    for p in model.populations.values():
        lines += ["", *_population(p, model.dt)]
    for q in model.projections.values():
        lines += ["", *_projection(q, model.dt)]
    lines += _section(_phase(p) for p in model.phases)
    lines += _section(_stimulus(s) for s in model.stimuli.values())
    lines += _section(_table(name, t) for name, t in model.tables.items())
    lines += _section(_record(r) for r in model.records.values())
    if model.experiment:
        times = any(isinstance(value, float) for value in model.experiment.values())
        seconds = " (times in seconds)" if times else ""
        lines += ["", f"experiment {model.experiment['kind']}{seconds}"]
        lines += [f"    {k} = {v}" for k, v in model.experiment.items() if k != "kind"]
    used = model_parameters(model)
    if used:
        lines += ["", "parameters"]
        width = max(map(len, used))
        lines += [
            f"    {name:{width}} = {_value(p):18} {p.about}{'; ' if p.about and p.source else ''}{p.source}".rstrip()
            for name, p in used.items()
        ]
    return "\n".join(lines)


def _population(p: spec.Population, dt: float) -> list[str]:
    codes = {"threshold": p.threshold, "reset": _statements(p.reset)}
    codes["refractory"] = p.refractory
    for name, event in p.events.items():
        codes[f"event {name}"] = event.condition
        codes[f"at {name}"] = _statements(event.action)
    return [
        f"population {p.name}: {' x '.join(map(str, p.shape))}{_spacing(p)}{_scheme(p, dt)}",
        *_indented(p.equations),
        *(f"    {key}: {code}" for key, code in codes.items() if code),
        *([_spikes(p.spikes)] if p.spikes else []),
        *(f"    {_regularly(r)}: {_statements(r.code)}" for r in p.regularly),
        *(f"    {name} is {link}" for name, link in p.linked.items()),
        *_initial(p.initial),
        *(f"    {name} {_range(r)}" for name, r in p.ranges.items()),
    ]


def _value(p: spec.Parameter) -> str:
    """As the file has it, with the value of what is worked out."""
    try:
        parse_quantity(p.text)
    except UserError:
        unit = unit_name(p.value.dimensions)
        return f"{p.text} = {p.value.si:.12g}" + ("" if unit == "1" else f" {unit}")
    return p.text


def _regularly(r: spec.Regularly) -> str:
    return f"stimulus {r.stimulus}" if r.stimulus else f"every {_ms(r.dt)}"


def _spikes(s: spec.Spikes) -> str:
    listed = f"{len(s.times)} spikes of its own"
    return f"    {listed}, from {s.times.origin}" if s.times.origin else f"    {listed}"


def _spacing(p: spec.Population) -> str:
    return f", sites {p.spacing} apart" if p.spacing != "1" else ""


def _scheme(group: spec.Population | spec.Projection, dt: float) -> str:
    """The time step, if it is not the model's, and the integration scheme, if there is something to integrate."""
    own = "" if group.dt == dt else f", dt {_ms(group.dt)}"
    return own + (f", {group.integrator}" if "/dt" in group.equations else "")


def _range(r: spec.Range) -> str:
    bits = f", {r.bits} bits" if r.bits else ""
    rounded = ", rounded stochastically" if r.stochastic else ""
    return f"from {r.low:g} to {r.high:g} (SI units){bits}{rounded}"


def _projection(q: spec.Projection, dt: float) -> list[str]:
    connect = dict(q.stated or q.connect)
    name = connect.pop("rule")
    if name == "generator":
        connect = {connect["iterator"][2]: generator(connect)}
    rule = ", ".join(f"{k} {v}" for k, v in connect.items())
    rule = f"{name} ({rule})" if rule else name
    lines = [f"projection {q.name}: {q.source} -> {q.target}, {rule}{_scheme(q, dt)}"]
    lines += _indented(q.equations)
    for name, code in (*q.on_pre.items(), *q.on_post.items()):
        event = q.on_event.get(name, "spike")
        at = "" if event == "spike" else f" at {event}"
        after = f", {q.delay[name]} later" if name in q.delay else ""
        lines.append(f"    on {name}{at}{after}: {_statements(code)}")
    lines += _initial(q.initial)
    return lines + [f"    {name} {_range(r)}" for name, r in q.ranges.items()]


def _phase(p: spec.Phase) -> str:
    given = [f"{name} = {value.text}" for name, value in p.values.items()]
    given += [f"{name} on" for name in sorted(p.stimuli)]
    return f"phase {p.name}: {_ms(p.start)} to {_ms(p.end)}" + "".join(f", {g}" for g in given)


def _stimulus(s: spec.Stimulus) -> str:
    image = f" where image '{s.image}'" if s.image else ""
    image = f" by the image {s.pattern}" if s.pattern is not None else image
    again = f", {s.count} times every {_ms(s.period)}" if s.count > 1 else ""
    return (
        f"stimulus {s.stated}: {s.amplitude} into {s.population}.{s.variable}{image},"
        f" {_ms(s.duration)} from {_ms(s.start)}{again}"
    )


def _table(name: str, t: spec.Table) -> str:
    """Its first values, in SI units."""
    first = [f"{value:.12g}" for value in t.values.flat[:8]]
    shape = " x ".join(map(str, t.values.numbers.shape))
    more = f", ... ({shape} values)" if t.values.numbers.size > 8 or t.columns else ""
    unit = unit_name(t.dimensions)
    said = "" if unit == "1" else f" ({unit})"
    return f"table {name}: {', '.join(first)}{more}{said}, {_ms(t.dt)} each"


def _record(r: spec.Record) -> str:
    if r.events:
        kind = "events" if r.event == "spike" else f"events '{r.event}'"
        beside = f", with {', '.join(r.variables)} at each" if r.variables else ""
        return f"record {r.name}: {kind} of {r.population}{beside}"
    what = f"{r.reduce} of " if r.reduce else ""
    of = f"{what}{', '.join(r.variables)} of {r.population}"
    if r.units is not None:
        some = ", ".join(map(str, r.units[:8])) + (", ..." if len(r.units) > 8 else "")
        return f"record {r.name}: {of}, of {some}, every {_ms(r.every)}"
    stride = f", 1 in {r.stride} rows and columns" if r.stride > 1 else ""
    return f"record {r.name}: {of} every {_ms(r.every)}{stride}"


def _initial(values: Mapping[str, spec.Value]) -> list[str]:
    return [f"    initially {name} = {value}" for name, value in values.items()]


def _section(lines: Iterable[str]) -> list[str]:
    """With an empty line before, if there are any."""
    lines = list(lines)
    return ["", *lines] if lines else []


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.12g} ms"


def _statements(code: str | None) -> str:
    """Statements on one line."""
    return " ; ".join((code or "").splitlines())


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


def differences(a: str | Document, b: str | Document) -> list[str]:
    """One line (``key: old -> new``) for each equation, parameter or setting that differs."""
    left, right = (_flat(read_document(one).tables, ()) for one in (a, b))
    lines = []
    for key in [*left, *(k for k in right if k not in left)]:
        if key not in right:
            lines.append(f"- {key}: {left[key]}")
        elif key not in left:
            lines.append(f"+ {key}: {right[key]}")
        elif left[key] != right[key]:
            lines += [f"- {key}: {left[key]}", f"+ {key}: {right[key]}"]
    return [printable(line) for line in lines]


def _flat(table: dict, path: tuple[str, ...]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        here = (*path, key)
        name = ".".join(here)
        if isinstance(value, dict) and not (path == ("parameters",) or key == "connect"):
            flat |= _flat(value, here)
        elif key == "equations" and isinstance(value, str):
            try:
                flat |= {f"{name}.{k}": v for k, v in split_equations(value).items()}
            except UserError:
                flat[name] = value
        elif path == ("parameters",) and isinstance(value, dict):
            flat[name] = str(value.get("value"))
            flat |= {f"{name}.{k}": str(v) for k, v in value.items() if k != "value"}
        else:
            flat[name] = " ".join(str(value).split())
    return flat
