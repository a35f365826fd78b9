"""From a model file to a `neuroglia_snn.spec.Model`, with settings from the command line."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neuroglia_snn import spec
from neuroglia_snn.catalog import fields, network, sections
from neuroglia_snn.catalog import phases as phasing
from neuroglia_snn.catalog.parameters import Parameters
from neuroglia_snn.catalog.ranges import ranges
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import Document, read_document
from neuroglia_snn.errors import ModelError, printable, shown
from neuroglia_snn.language.quantities import as_settings


def load(
    name_or_path: str | os.PathLike[str], overrides: Mapping[str, object] | None = None
) -> spec.Model:
    """Load a model by catalogue name or path, ready for a backend.

    Parameters
    ----------
    name_or_path : str
        ``"noise_induced_memory"`` or ``"mine.toml"``.
    overrides : mapping, optional
        ``{"sigma2": "0.1"}`` for parameters, dotted paths (``"model.dt"``,
        ``"population.neuron.shape"``) for anything else; texts, numbers, quantities of Brian2 or
        lists of numbers.

    Raises
    ------
    ModelError
        With file, line, what is wrong and what would be right.
    """
    return declared(read(name_or_path, overrides))


def read(
    name_or_path: str | os.PathLike[str] | Document,
    overrides: Mapping[str, object] | None = None,
) -> Document:
    """A model file and what it extends, with settings from the command line.

    Raises
    ------
    ModelError
    """
    document = read_document(name_or_path)
    for key, value in as_settings({} if overrides is None else overrides).items():
        _override(document, key, value)
    return document


def declared(document: Document) -> spec.Model:
    """The model as its document declares it, which has no more problems.

    Raises
    ------
    ModelError
        With all texts that cannot be parsed, one line each.
    """
    model = build(document)
    document.require_sound()
    return model


def build(document: Document) -> spec.Model:
    """Check the keys and types of a document's tables and build the model from it.

    A text that cannot be parsed is left out of the model, and is one of the document's problems.
    """
    fields.check_keys(document)
    tables = document.tables
    model = tables.get("model", {})
    precision = model.get("precision", spec.PRECISIONS[0])
    if precision not in spec.PRECISIONS:
        raise document.error(
            f"precision is {' or '.join(spec.PRECISIONS)}, not '{precision}'", "model", "precision"
        )
    if not tables.get("population"):
        raise document.error("no [population.NAME] table: a model needs at least one")
    dt = fields.time(document, "model", "dt")
    integrator = model.get("integrator", "")
    parameters = Parameters(document)
    populations = {
        name: replace(
            network.population(document, name, dt, integrator, parameters),
            ranges=ranges(document, "population", name),
        )
        for name in tables["population"]
    }
    populations = {
        name: replace(p, linked=network.links(document, p, populations, parameters))
        for name, p in populations.items()
    }
    stimuli = tables.get("stimulus", {})
    for name in stimuli:
        if "rate" in stimuli[name]:
            made = sections.poisson(document, name, populations)
            populations[made.name] = made
    projections: dict[str, spec.Projection] = {}
    for name in tables.get("projection", {}):
        projections[name] = network.projection(
            document, name, populations, projections, integrator, parameters
        )
    phases = phasing.phases(document, parameters)
    return spec.Model(
        name=shown(document.path.stem),
        title=printable(model.get("title", document.path.stem)),
        description=printable(model.get("description", "").strip()),
        doi=printable(model.get("doi", "")),
        noise=model.get("noise"),
        dt=dt,
        duration=phasing.duration(document, phases),
        phases=phases,
        parameters=parameters.all(),
        tables={n: sections.table(document, n) for n in tables.get("table", {})},
        populations=populations,
        projections=projections,
        stimuli={
            made.name: made
            for n in stimuli
            if "rate" not in stimuli[n]
            for made in sections.stimulus(document, n, populations, phases)
        },
        records={
            n: sections.record(document, n, populations, projections, parameters, dt)
            for n in tables.get("record", {})
        },
        experiment=sections.experiment(document),
        precision=precision,
        structural=frozenset(parameters.used),
        digest=_digest(document),
    )


def _digest(document: Document) -> str:
    """Hash of the tables, and of the arrays that they name."""
    said = json.dumps(document.tables, default=str)
    said += json.dumps(document.data, sort_keys=True) if document.data else ""
    return hashlib.sha256(said.encode()).hexdigest()


def _override(document: Document, key: str, value: str) -> None:
    path = key.split(".")
    if len(path) == 2 and path[0] == "parameters":
        path, key = path[1:], path[1]  # a parameter keeps its limits
    if path in (["model", "extends"], ["model", "remove"]):
        raise document.error(f"'{key}' can only be set in the file itself")
    if len(path) == 1:
        parameters = document.tables.get("parameters", {})
        if key not in parameters:
            raise document.error(f"no parameter '{key}' to set{nearest(key, parameters)}")
        document.settings["parameters", key] = f"--set {key}={value}"
        old = parameters[key]
        parameters[key] = {**old, "value": value} if isinstance(old, dict) else value
        return
    *parents, last = path
    table: Any = document.tables
    for name in parents:
        table = table.get(name) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        raise document.error(f"no table '{'.'.join(parents)}' to set '{key}' in")
    is_file = parents[-1] in ("initial", "delay") and value.endswith((".npy", ".csv"))
    table[last] = {"file": value} if is_file else _parsed(key, value)
    document.settings[tuple(path)] = f"--set {key}={value}"


def _parsed(key: str, value: str) -> Any:
    """Text as TOML would have it: a list, a number, true or false; else the text itself."""
    if value[:1] in "[{":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ModelError(
                f"--set {key}: '{shown(value)}' is not a list such as [20, 20]"
            ) from None
    if value in ("true", "false"):
        return value == "true"
    if re.fullmatch(r"[-+]?\d{1,4000}", value):
        return int(value)
    if re.fullmatch(r"[-+]?(\d+(?:\.\d*)?|\.\d+)([eE][-+]?\d+)?", value):
        return float(value)
    return value
