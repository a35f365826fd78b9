"""Networks on neuromorphic hardware: which cores they take, what they send, and what does not fit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuroglia_snn import checks, results, spec
from neuroglia_snn.catalog import hardware as hardware_files
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import BackendError, ResultError
from neuroglia_snn.mapping import energy as energies
from neuroglia_snn.mapping import formats
from neuroglia_snn.mapping.draw import draw
from neuroglia_snn.mapping.memory import Bits, default_bits
from neuroglia_snn.mapping.observe import Observed, of_model, of_network
from neuroglia_snn.mapping.place import Layout, place
from neuroglia_snn.mapping.report import Summary, summarise, text

__all__ = ["map_network", "map_to", "text"]

DRAWING = "cores"
#: Steps of the recorded run that are priced, if a caller says no other number.
ENERGY_STEPS = energies.STEPS


def map_to(
    model: str | os.PathLike[str] | Document,
    target: str,
    overrides: dict[str, str] | None = None,
    out: Path | None = None,
    force: bool = False,
    energy: str | None = None,
    steps: int = ENERGY_STEPS,
    seed: int = 0,
) -> Summary:
    """Map a model to a hardware target; with ``out``, write ``summary.json`` and a drawing there.

    Parameters
    ----------
    model : catalogue name or path of a model file, or what one holds
    target : catalogue name or path of a hardware file
    overrides : parameter values
    out : folder for the results
    force : write over earlier ones
    energy : catalogue name or path of the hardware file whose costs price what happens, by SANA-FE
    steps : that are priced
    seed : of noise and initial values of the run that is observed

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    chip, prices = _targets(target, energy)
    loaded, _ = checks.load_checked(model, overrides)
    if out is not None:
        _prepare(out, force)
    observed = of_model(loaded, seed, formats.ranges_of(loaded))
    summary: Summary = {"model": loaded.name, "title": loaded.title, "model_digest": loaded.digest}
    variables, why = formats.describe(loaded, seed)
    summary |= {"variables": variables, **({"no_formats": why} if why else {})}
    bits = formats.bits_of(loaded)
    layout = _mapped(summary, observed, chip, bits, prices, steps, out)
    if loaded.images():
        summary["assumptions"].append("images that are shown have all of their pixels on")
    if variables:
        summary["assumptions"].append(formats.assumption(loaded))
    return _written(summary, layout, chip, out)


def map_network(
    network: Any,
    target: str,
    duration: float,
    out: Path | None = None,
    force: bool = False,
    energy: str | None = None,
    steps: int = ENERGY_STEPS,
    seed: int | None = None,
    namespace: Mapping[str, Any] | None = None,
) -> Summary:
    """Map a `brian2.Network`, which is run for ``duration`` seconds and left as it was; see `map_to`."""
    chip, prices = _targets(target, energy)
    if out is not None:
        _prepare(out, force)
    observed = of_network(network, duration, seed, namespace)
    summary: Summary = {
        "model": network.name,
        "title": f"Brian2 network '{network.name}'",
        "variables": {},
    }
    layout = _mapped(summary, observed, chip, default_bits, prices, steps, out)
    return _written(summary, layout, chip, out)


def _targets(target: str, energy: str | None) -> tuple[spec.Hardware, spec.Hardware | None]:
    chip = hardware_files.load(target)
    if energy is None:
        return chip, None
    prices = hardware_files.load(energy)
    energies.require(prices)
    return chip, prices


def _mapped(
    summary: Summary,
    observed: Observed,
    chip: spec.Hardware,
    bits: Bits,
    prices: spec.Hardware | None,
    steps: int,
    out: Path | None,
) -> Layout:
    """Fill a summary with what a network takes of a chip."""
    layout = place(observed.graph, chip, bits)
    summary |= summarise(observed, layout, chip, bits)
    if prices is not None:
        folder = None if out is None else out / "sanafe"
        try:
            summary["energy"] = energies.price(observed, layout, chip, prices, steps, folder)
        except BackendError as error:  # what was placed is told all the same
            summary["no_energy"] = str(error)
    return layout


def _written(summary: Summary, layout: Layout, chip: spec.Hardware, out: Path | None) -> Summary:
    if out is not None:
        summary["figures"] = [str(draw(layout, chip, out / DRAWING))]
        results.write_summary(summary, out)
    return summary


def _prepare(out: Path, force: bool) -> None:
    if (out / results.SUMMARY).exists() and not force:
        raise ResultError(f"{out} holds a result already; choose another --out, or add --force")
    results.make_folder(out)
