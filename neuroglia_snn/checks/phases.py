"""Whether what a model reads in a run is right with the values that its phases set, too."""

from __future__ import annotations

from dataclasses import replace

from neuroglia_snn import spec
from neuroglia_snn.checks import populations, projections, stimuli
from neuroglia_snn.checks.findings import Reporter


def check(reporter: Reporter) -> None:
    """Check the model anew in each phase; to be called where nothing is wrong without phases."""
    known = {(f.severity, f.where, f.message) for f in reporter.findings}
    for phase in reporter.model.phases:
        if not phase.values:
            continue
        inner = Reporter(_in_run(reporter.model, phase), reporter.document)
        for population in inner.model.populations.values():
            populations.check(inner, population)
        for projection in inner.model.projections.values():
            projections.check(inner, projection)
        stimuli.check(inner)
        for found in inner.findings:
            if (found.severity, found.where, found.message) not in known:
                message = f"in phase '{phase.name}': {found.message}"
                reporter.findings.append(replace(found, message=message))


def _in_run(model: spec.Model, phase: spec.Phase) -> spec.Model:
    """The model as a phase has it, without what is made before a run and what other phases hold."""
    inner = model.in_phase(phase)
    elsewhere = [p for p in model.phases if p is not phase]
    return replace(
        inner,
        populations={n: replace(p, initial={}) for n, p in inner.populations.items()},
        projections={
            n: replace(p, initial={}, delay={}, connect={"rule": "all"}, stated={})
            for n, p in inner.projections.items()
        },
        stimuli={
            n: s
            for n, s in inner.stimuli.items()
            if not any(p.start - 1e-12 <= s.start and s.end <= p.end + 1e-12 for p in elsewhere)
        },
    )
