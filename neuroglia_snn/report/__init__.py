"""Reports: a results folder as one page, to open from disk, to send, to keep.

HTML holds its figures and needs no network; Markdown has them in a folder beside it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import jinja2

from neuroglia_snn import results
from neuroglia_snn.errors import ResultError, UserError

#: The file that a report is written to if none is named.
FILE = "report.html"
#: Keys of a summary that a report shows as the facts of a run, in this order.
_FACTS = (
    "model",
    "study",
    "backend",
    "precision",
    "seed",
    "seeds",
    "replicas",
    "threads",
    "workers",
)


def report(folder: Path, out: Path | None = None, force: bool = False) -> Path:
    """Write the report of a run, a sweep or a reproduction.

    Parameters
    ----------
    folder : path
        A results folder with its ``summary.json``.
    out : path, optional
        ``.html`` (default: ``report.html`` in the folder) or ``.md``.
    force : bool
        Write over a file that is there.

    Returns
    -------
    path
        Of what was written.

    Raises
    ------
    ResultError
        If the folder holds no finished result, or the file exists.
    """
    out = out or folder / FILE
    summary = _summary(folder)
    if out.suffix not in (".html", ".md"):
        raise UserError(f"a report ends in .html or .md, not {out.name}")
    if out.exists() and not force and out != folder / FILE:
        raise ResultError(f"{out} exists already: choose another --out, or add --force")
    markdown = out.suffix == ".md"
    keep = _beside(out) if markdown else _embedded
    page = _template("report.md.jinja" if markdown else "report.html.jinja").render(
        title=summary.get("title") or summary.get("study") or summary.get("model"),
        facts=_facts(summary),
        sections=[_section(s, folder, keep) for s in _sections(summary)],
        parameters=_parameters(summary),
        failed=summary.get("failed", {}),
        command=summary.get("command"),
    )
    partial = out.with_name(f"{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ResultError(f"{out} cannot be written ({error.strerror})") from None
    partial.replace(out)
    return out


def _summary(folder: Path) -> dict:
    path = folder / results.SUMMARY
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultError(
            f"{folder} holds no finished result ({results.SUMMARY} is missing): name the --out folder"
            " of a run, sweep or reproduction"
        ) from None
    except (OSError, ValueError) as error:
        raise ResultError(f"{path} cannot be read ({error})") from None
    if not isinstance(summary, dict) or "results" not in summary:
        raise ResultError(f"{path} is not the summary of a run, sweep or reproduction")
    return summary


def _template(name: str) -> jinja2.Template:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape="html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.from_string(text)


def _facts(summary: Mapping) -> dict[str, str]:
    """What computed it, on one line each."""
    found = {key: _text(summary[key]) for key in _FACTS if _plain(summary.get(key))}
    if "over" in summary:
        found["over"] = "; ".join(f"{k} = {', '.join(v)}" for k, v in summary["over"].items())
    seconds = summary.get("wall_seconds", {})
    found["wall time"] = ", ".join(f"{key} {value:.3g} s" for key, value in seconds.items())
    found["versions"] = ", ".join(f"{k} {v}" for k, v in summary.get("versions", {}).items())
    if "model_digest" in summary:
        found["hash of the model"] = str(summary["model_digest"])[:16]
    return {key: value for key, value in found.items() if value}


def _plain(value: object) -> bool:
    return isinstance(value, (str, int, float)) and value != ""


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parameters(summary: Mapping) -> dict[str, tuple[str, bool]]:
    """Name -> value, and whether the user set it."""
    chosen = summary.get("set", {})
    known = {**summary.get("parameters", {}), **{k: v for k, v in chosen.items() if "." in k}}
    return {name: (str(value), name in chosen) for name, value in known.items()}


def _sections(summary: Mapping) -> list[dict]:
    """A study's own, or one with all results and figures."""
    if "sections" in summary:
        return summary["sections"]
    spread = summary.get("standard_deviations", {})
    rows = [
        [key.replace("_", " "), _text(value) + (f" ± {spread[key]:.2g}" if key in spread else "")]
        for key, value in summary["results"].items()
    ]
    table = {"columns": ["", "mean ± sd" if spread else "value"], "rows": rows}
    return [
        {"title": "Results", "text": "", "table": table, "figures": summary.get("figures", [])}
        | {"commands": []}
    ]


def _section(section: Mapping, folder: Path, keep: Callable[[Path], str]) -> dict:
    figures = [keep(_find(folder, Path(path))) for path in section["figures"]]
    return {**section, "figures": figures}


def _find(folder: Path, path: Path) -> Path:
    """A figure in its results folder, wherever that has been moved to."""
    for count in range(1, len(path.parts) + 1):
        inside = folder.joinpath(*path.parts[-count:])
        if inside.is_file():
            return inside
    raise ResultError(f"{folder}: the figure {path.name} is gone")


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _beside(out: Path) -> Callable[[Path], str]:
    """Copies of figures in a folder named as the file."""
    folder = out.with_suffix("")

    def copy(path: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)
        return os.path.relpath(folder / path.name, out.parent)

    return copy
