"""What can be wrong with a model: symbols, units, noise, references. Nothing is built or run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

from neuroglia_snn import spec
from neuroglia_snn.catalog.load import build, declared, read
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.checks import (
    names,
    numerics,
    pairs,
    phases,
    populations,
    projections,
    references,
    schemes,
)
from neuroglia_snn.checks.findings import Finding, Reporter
from neuroglia_snn.errors import ModelError, UserError
from neuroglia_snn.language import equations as eqs

__all__ = ["Finding", "check_file", "load_checked"]

_Owner = TypeVar("_Owner", spec.Population, spec.Projection)


def check_file(
    name_or_path: str | os.PathLike[str] | Document,
    overrides: Mapping[str, object] | None = None,
) -> list[Finding]:
    """Everything wrong with a model file, errors first.

    Of a file whose tables cannot be read, only what is wrong with these is found.
    """
    try:
        document = read(name_or_path, overrides)
        model = build(document)
    except ModelError as error:
        return [_finding(line) for line in str(error).split("\n")]
    except RecursionError:
        return [Finding("error", str(name_or_path), "nested too deeply")]
    if document.problems:
        return [_finding(str(error)) for error in document.problems]
    return _check(model, document)


def _finding(error: str) -> Finding:
    where, _, message = error.partition(": ")
    return Finding("error", where, message)


def load_checked(
    name_or_path: str | os.PathLike[str] | Document,
    overrides: Mapping[str, object] | None = None,
) -> tuple[spec.Model, list[Finding]]:
    """Load a model that a backend may run.

    Returns
    -------
    (model, warnings)

    Raises
    ------
    ModelError
        With every error that the checks find, one line each.
    """
    document = read(name_or_path, overrides)
    model = declared(document)
    findings = _check(model, document)
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise ModelError("\n".join(f"{f.where}: {f.message}" for f in errors))
    return model, findings


def _check(model: spec.Model, document: Document) -> list[Finding]:
    """Check a loaded model against the document it came from (for line numbers)."""
    reporter = Reporter(model, document)
    numerics.check_reading(reporter)
    numerics.check_steps(reporter)
    numerics.check_samples(reporter)
    numerics.check_tables(reporter)
    names.check(reporter)
    broken = set()  # populations and projections whose equations do not parse
    for population in model.populations.values():
        if not _parses(populations.check, reporter, population, "population"):
            broken.add(population.name)
    for projection in model.projections.values():
        if broken & {projection.source.name, projection.target.name}:
            continue
        if not _parses(projections.check, reporter, projection, "projection"):
            broken.add(projection.name)
    if not reporter.has_errors:  # what follows parses equations again
        references.check(reporter)
    if not reporter.has_errors:
        phases.check(reporter)
    if not reporter.has_errors:  # what follows evaluates them
        pairs.check(reporter)
        numerics.check_start(reporter)
    if not reporter.has_errors:
        schemes.check(reporter)
    return sorted(reporter.findings, key=lambda f: f.severity)


def _parses(
    check: Callable[[Reporter, _Owner], None], reporter: Reporter, owner: _Owner, table: str
) -> bool:
    """Check a population or projection; False if its equations do not parse."""
    path = (table, owner.name)
    try:
        check(reporter, owner)
    except eqs.EquationError as error:
        reporter.error(f"{table} '{owner.name}': {error}", *path, "equations", needle=error.name)
    except UserError as error:
        reporter.error(f"{table} '{owner.name}': {error}", *path)
    except RecursionError:
        reporter.error(f"{table} '{owner.name}': equations nested too deeply", *path)
    else:
        return True
    return False
