"""A model as a Brian2 script: one readable file, and the arrays that stand in a file beside it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.exchange import groups, synapses, text
from neuroglia_snn.exchange.groups import Context
from neuroglia_snn.exchange.names import Names
from neuroglia_snn.exchange.plain import plain
from neuroglia_snn.language import algebra
from neuroglia_snn.language import equations as eqs

#: Brian2's devices, with the lines that a script chooses each by.
DEVICES: dict[str, list[str]] = {
    "runtime": [],
    "cpp_standalone": ["set_device('cpp_standalone')  # builds in the folder 'output'"],
    "cuda_standalone": [
        "import brian2cuda",
        "",
        "set_device('cuda_standalone')  # builds in the folder 'output'",
        "# without -use_fast_math, which Brian2CUDA takes by itself: quicker and less exact",
        "cuda = prefs.devices.cuda_standalone.cuda_backend",
        "cuda.extra_compile_args_nvcc = ['-w', '-std=c++17', '-O3']",
    ],
}
#: Values of a table that stand in the script; more are in the file beside it.
MAX_VALUES = 50


@dataclass(frozen=True)
class Script:
    """The text of a script, and the arrays that it reads from the ``.npz`` file of its name."""

    text: str
    data: Mapping[str, np.ndarray]


def script(
    model: spec.Model,
    images: Mapping[str, np.ndarray],
    device: str = "runtime",
    seed: int = 0,
    origin: str = "",
) -> Script:
    """Write a model as a Brian2 script.

    Parameters
    ----------
    model : spec.Model
    images : mapping from image name to bool array
    device : {"runtime", "cpp_standalone", "cuda_standalone"}
    seed : int
        Of Brian2's random numbers.
    origin : str
        Where the script comes from, for a comment.

    Raises
    ------
    UserError
        For what the script cannot say.
    """
    spelled = plain(model)
    followed = [p.name for p in spelled.projections.values() if p.rule in ("third-in", "third-out")]
    if followed and device != "runtime":
        raise UserError(
            f"projection '{followed[0]}' follows synapses that a program of '{device}' makes as it runs:"
            " export it for Brian2's runtime"
        )
    context = Context(spelled, Names(spelled), {**model.patterns(), **images}, seed=seed)
    network = [
        *_section(
            "populations",
            [
                *(groups.population(context, p) for p in spelled.populations.values()),
                [line for p in spelled.populations.values() for line in groups.links(context, p)],
            ],
        ),
        *_section(
            "projections", [synapses.projection(context, p) for p in spelled.projections.values()]
        ),
        *_section(
            "records", [groups.record(context, r) for r in spelled.records.values()], tight=True
        ),
    ]
    tables = [_table(context, n, t) for n, t in spelled.tables.items() if _is_read(spelled, n)]
    body = [
        *_scheme_lines(context),
        *_section("parameters", [_parameters(spelled)]),
        *_section("functions of time", tables),
        *network,
        "",
        f"run({text.time(model.duration)}, report='text')",
    ]
    start = [*DEVICES[device], f"seed({seed})", f"defaultclock.dt = {text.time(model.dt)}"]
    if context.data:
        start.append("data = np.load(Path(__file__).with_suffix('.npz'), allow_pickle=False)")
    written = "\n".join((*start, *body)) + "\n"
    whole = "\n".join((*_header(model, spelled, origin), *_imports(context, written), "", written))
    ast.parse(whole)  # a script that Python cannot read is no script
    return Script(whole, context.data)


def _header(model: spec.Model, spelled: spec.Model, origin: str) -> list[str]:
    """Comments; none of the first two lines is the model's, where Python looks for an encoding."""
    lines = ["# A Brian2 script, which needs Brian2 and NumPy alone.", "#"]
    lines += text.comment(model.title)
    if model.description:
        lines += ["#", *text.comment(model.description)]
    if model.doi:
        lines += ["#", *text.comment(f"doi {model.doi}")]
    if origin:
        lines += ["#", *text.comment(origin)]
    if any(eqs.noises(eqs.parse(owner.equations)) for owner in _owners(spelled)):
        note = (
            "The noise is Brian2's (randn). Runs of the package that wrote this script draw numbers of"
            " their own for it: of the same distribution, along another path."
        )
        lines += ["#", *text.comment(note)]
    if model.experiment:
        note = (
            f"The experiment of the model ({model.experiment['kind']}) is not in the script, which"
            " simulates the network and keeps what is recorded."
        )
        lines += ["#", *text.comment(note)]
    return lines


def _imports(context: Context, written: str) -> list[str]:
    """What the script imports, before which there is an empty line."""
    path = ["from pathlib import Path", ""] if context.data else []
    lines = ["", *path, *(["import numpy as np"] if "np." in written else [])]
    lines.append("from brian2 import *")
    in_code = frozenset().union(*map(algebra.names, _texts(context.model)))
    lines += text.units_to_import(written, in_code)
    if "word_substitute(" in written:
        lines.append("from brian2.utils.stringtools import word_substitute")
    return lines


def _section(title: str, blocks: list[list[str]], tight: bool = False) -> list[str]:
    """Blocks of lines with a title, with an empty line between them unless they are ``tight``."""
    blocks = [block for block in blocks if block]
    if not blocks:
        return []
    lines = ["", f"# {'-' * (text.WIDTH - 3 - len(title))} {title}", *([""] if tight else [])]
    for block in blocks:
        lines += block if tight else ["", *block]
    return lines


def _scheme_lines(context: Context) -> list[str]:
    """Definitions, with two empty lines on either side."""
    lines = [line for scheme in context.definitions for line in ("", "", *scheme.split("\n"))]
    return [*lines, ""] if lines else []


def _owners(model: spec.Model) -> list[spec.Population | spec.Projection]:
    return [*model.populations.values(), *model.projections.values()]


def _texts(model: spec.Model) -> list[str]:
    found = [text for owner in _owners(model) for text in eqs.texts(owner)]
    return found + [s.amplitude for s in model.stimuli.values()]


def _is_read(model: spec.Model, name: str) -> bool:
    return any(name in algebra.names(code) for code in _texts(model))


def _parameters(model: spec.Model) -> list[str]:
    """The parameters that the network reads, with what their file says about them."""
    lines = []
    for name, p in eqs.used_parameters(model, _texts(model)).items():
        note = "; ".join(part for part in (p.about, p.source) if part)
        lines.append(text.assigned(name, text.amount(p.value, p.text), note))
    return lines


def _table(context: Context, name: str, table: spec.Table) -> list[str]:
    """A function of time given by samples."""
    numbers = table.values.numbers
    if numbers.size <= MAX_VALUES and table.columns is None:
        values = f"[{', '.join(map(text.number, numbers.tolist()))}]"
    else:
        key = f"table.{name}"
        context.data[key] = numbers
        values = f"data[{key!r}]"
    values += text.times(table.dimensions)
    return [text.call("TimedArray", [values, f"dt={text.time(table.dt)}"], to=name)]
