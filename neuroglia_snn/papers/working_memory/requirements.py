"""What a model of a working memory must have; checked once every equation is known to parse."""

from __future__ import annotations

from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.experiments.names import require_named
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.papers.working_memory import digits, memory


def check(reporter: Reporter) -> None:
    """Items are shown on a lattice whose spikes are recorded, and cues end before the run."""
    model, e = reporter.model, reporter.model.experiment
    known = {"population": model.populations, "glia": model.populations, "spikes": model.records}
    if not require_named(reporter, known):
        return
    population = model.populations[str(e["population"])]
    if len(population.shape) != 2:
        reporter.error("the working memory needs a population on a lattice", "experiment")
        return
    record = model.records[str(e["spikes"])]
    if record.population != population.name or not record.events or record.units is not None:
        reporter.error(
            f"[experiment] spikes = '{record.name}' is a record of all spikes of"
            f" '{population.name}': population = \"{population.name}\", events = true",
            "experiment",
            "spikes",
        )
    variables = eqs.parse(model.populations[str(e["glia"])].equations)
    if e["calcium"] not in variables:
        reporter.error(
            f"[experiment] calcium = '{e['calcium']}' is not a variable of '{e['glia']}'"
            f"{nearest(str(e['calcium']), variables)}",
            "experiment",
            "calcium",
        )
    for key in ("learn_noise", "test_noise"):
        if not 0 <= float(str(e[key])) <= 1:
            reporter.error(f"[experiment] {key} is a fraction, not {e[key]}", "experiment", key)
    if e["threshold"] is not None and int(str(e["threshold"])) < 0:
        reporter.error(
            f"[experiment] threshold is a number of spikes, from 0 on, not {e['threshold']}",
            "experiment",
            "threshold",
        )
    if e["weight"] not in digits.WEIGHTS:
        reporter.error(
            f"[experiment] weight is {' or '.join(digits.WEIGHTS)}, not {shown(str(e['weight']))}",
            "experiment",
            "weight",
        )
    _shown(reporter)


def _shown(reporter: Reporter) -> None:
    """Every item has images of its own, and there is one to test."""
    model = reporter.model
    cues = memory.presented(model, memory.TEST)
    if not cues:
        reporter.error(
            f"the working memory cues nothing: call a stimulus {memory.TEST}ITEM", "experiment"
        )
    items = memory.presented(model, memory.LEARN) + cues
    images = [s.image for s in items]
    for stimulus in items:
        if stimulus.image is None or stimulus.pattern is not None:
            reporter.error(
                f"stimulus '{stimulus.stated}' shows an item: give it an image",
                "stimulus",
                stimulus.stated,
            )
        elif (
            images.count(stimulus.image) > 1
            or stimulus.population != model.experiment["population"]
        ):
            reporter.error(
                f"stimulus '{stimulus.stated}' needs an image of its own, shown once to"
                f" '{model.experiment['population']}'",
                "stimulus",
                stimulus.stated,
            )
    last = max((s.start for s in cues), default=0.0) + float(str(model.experiment["window"]))
    if last > model.duration * (1 + 1e-9):
        reporter.error(
            f"the run ends at {model.duration * 1e3:g} ms, within the window of a cue that ends at"
            f" {last * 1e3:g} ms: let it last longer, or lower experiment.window",
            "experiment",
            "window",
        )
