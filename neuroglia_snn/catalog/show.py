"""Models as text for people: a description, and what differs between two."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.catalog.source import read_document, split_equations
from neuroglia_snn.equations import model_parameters
from neuroglia_snn.errors import ModelError


def describe(model: spec.Model) -> str:
    """Title, populations, projections, stimuli, records and parameters of a model."""
    lines = [model.title, *(f"  {line}" for line in model.description.splitlines())]
    if model.doi:
        lines.append(f"  doi {model.doi}")
    noise = f", {model.noise} noise" if model.noise else ""
    lines += ["", f"{model.duration * 1e3:g} ms in steps of {model.dt * 1e3:g} ms{noise}"]
    for p in model.populations.values():
        shape = " x ".join(map(str, p.shape))
        own = "" if p.dt == model.dt else f", dt {p.dt * 1e3:g} ms"
        lines += [
            "",
            f"population {p.name}: {shape}{own}" + (f", {p.integrator}" if p.integrator else ""),
        ]
        lines += _indented(p.equations)
        lines += [
            f"    {key}: {' ; '.join(str(value).split(chr(10))).strip(' ;')}"
            for key, value in (
                ("threshold", p.threshold),
                ("reset", p.reset),
                ("refractory", p.refractory),
            )
            if value
        ]
        lines += [f"    initially {name} = {value}" for name, value in p.initial.items()]
    for q in model.projections.values():
        rule = ", ".join(f"{k} {v}" for k, v in q.connect.items() if k != "rule")
        rule = f"{q.connect['rule']}" + (f" ({rule})" if rule else "")
        lines += ["", f"projection {q.name}: {q.source} -> {q.target}, {rule}"]
        lines += _indented(q.equations)
        lines += [
            f"    on {name}: {' ; '.join(code.split(chr(10))).strip(' ;')}"
            for name, code in (*q.on_pre.items(), *q.on_post.items())
        ]
    if model.stimuli:
        lines.append("")
    for s in model.stimuli.values():
        image = f" where image '{s.image}'" if s.image else ""
        again = f", {s.count} times every {s.period * 1e3:g} ms" if s.count > 1 else ""
        lines.append(
            f"stimulus {s.name}: {s.amplitude} into {s.population}.{s.variable}{image},"
            f" {s.duration * 1e3:g} ms from {s.start * 1e3:g} ms{again}"
        )
    for r in model.records.values():
        what = "events" if r.events else ", ".join(r.variables)
        lines.append(
            f"record {r.name}: {what} of {r.population}"
            + ("" if r.events else f" every {r.every * 1e3:g} ms")
        )
    used = model_parameters(model)
    if used:
        lines += ["", "parameters"]
        width = max(map(len, used))
        lines += [
            f"    {name:{width}} = {p.text:18} {p.about}{'; ' if p.about and p.source else ''}{p.source}".rstrip()
            for name, p in used.items()
        ]
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.splitlines()]


def differences(a: str, b: str) -> list[str]:
    """One line (``key: old -> new``) for each equation, parameter or setting that differs."""
    left, right = (_flat(read_document(name).tables, ()) for name in (a, b))
    lines = []
    for key in [*left, *(k for k in right if k not in left)]:
        if key not in right:
            lines.append(f"- {key}: {left[key]}")
        elif key not in left:
            lines.append(f"+ {key}: {right[key]}")
        elif left[key] != right[key]:
            lines += [f"- {key}: {left[key]}", f"+ {key}: {right[key]}"]
    return lines


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
            except ModelError:
                flat[name] = value
        elif path == ("parameters",) and isinstance(value, dict):
            flat[name] = str(value.get("value"))
            flat |= {f"{name}.{k}": str(v) for k, v in value.items() if k != "value"}
        else:
            flat[name] = " ".join(str(value).split())
    return flat
