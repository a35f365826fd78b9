"""Models on neuromorphic hardware: which cores they take, and what does not fit."""

from __future__ import annotations

from pathlib import Path

from neuroglia_snn import checks, results
from neuroglia_snn.catalog import hardware
from neuroglia_snn.errors import ResultError
from neuroglia_snn.mapping.draw import draw
from neuroglia_snn.mapping.report import Summary, map_model, text

__all__ = ["map_to", "text"]

DRAWING = "cores.png"


def map_to(
    model: str,
    target: str,
    overrides: dict[str, str] | None = None,
    out: Path | None = None,
    force: bool = False,
) -> Summary:
    """Map a model to a hardware target; with ``out``, write ``summary.json`` and a drawing there.

    Parameters
    ----------
    model, target : catalogue name or path of a model file and of a hardware file
    overrides : parameter values
    out : folder for the results
    force : write over earlier ones

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    chip = hardware.load(target)
    loaded, _ = checks.load_checked(model, overrides)
    if out is not None:
        _prepare(out, force)
    summary, placements = map_model(loaded, chip)
    if out is not None:
        summary["figures"] = [str(draw(placements, chip, out / DRAWING))]
        results.write_summary(summary, out)
    return summary


def _prepare(out: Path, force: bool) -> None:
    if (out / results.SUMMARY).exists() and not force:
        raise ResultError(f"{out} holds a result already; choose another --out, or add --force")
    results.make_folder(out)
