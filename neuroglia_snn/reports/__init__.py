"""Reports: a results folder as one page, to open from disk, to send, to keep.

HTML holds its figures and needs no network; Markdown has them in a folder beside it.
"""

from __future__ import annotations

import base64
import errno
import json
import re
import shutil
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import jinja2
from PIL import Image

from neuroglia_snn import results
from neuroglia_snn.errors import ResultError, UserError, printable

#: Keys of a summary that a report shows as the facts of a run, in this order.
_FACTS = (
    "model",
    "study",
    "paper_figures",
    "quick",
    "backend",
    "precision",
    "seed",
    "seeds",
    "replicas",
    "threads",
    "workers",
)


#: Pixels of a page for an inch of a printed figure, of which the text has 8 points.
_PER_INCH = 144
#: Figures that a page can hold, and what browsers call their kinds.
_EMBEDDED = {".png": "image/png", ".svg": "image/svg+xml"}


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
    out = out or folder / results.REPORT
    summary = _summary(folder)
    if out.suffix not in (".html", ".md"):
        raise UserError(f"a report ends in .html or .md, not {out.name}")
    markdown = out.suffix == ".md"
    places = [out]
    if markdown and _folder_beside(out).resolve() != folder.resolve():
        places.append(_folder_beside(out))
    taken = [p for p in places if p.exists()]
    if taken and not force and out != folder / results.REPORT:
        raise ResultError(f"{taken[0]} exists already: choose another --out, or add --force")
    try:
        return _write(summary, folder, out, markdown)
    except OSError as error:
        raise ResultError(f"{out} cannot be written ({error.strerror})") from None
    except (AttributeError, KeyError, TypeError, ValueError, jinja2.TemplateError) as error:
        raise ResultError(
            f"{folder / results.SUMMARY} is not as neuroglia writes it ({type(error).__name__})"
        ) from None


def _write(summary: Mapping, folder: Path, out: Path, markdown: bool) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    keep = _beside(out, folder) if markdown else _embedded
    page = _template("report.md.jinja" if markdown else "report.html.jinja").render(
        title=summary.get("title") or folder.resolve().name,
        facts=_facts(summary),
        sections=[_section(s, folder, keep) for s in _sections(summary)],
        parameters=_parameters(summary),
        failed=summary.get("failed", {}),
        command=summary.get("command"),
    )
    partial = out.with_name(f"{out.name}.partial")
    partial.write_text(page, encoding="utf-8", errors="backslashreplace")
    if out.is_dir():
        partial.unlink()
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    partial.replace(out)
    return out


def _summary(folder: Path) -> dict:
    path = folder / results.SUMMARY
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        why = f"{results.SUMMARY} is missing" if folder.is_dir() else "it is no folder"
        raise ResultError(
            f"{folder} holds no finished result ({why}): name the --out folder of a run, sweep or"
            " reproduction"
        ) from None
    except OSError as error:
        raise ResultError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path} cannot be read ({error})") from None
    if not isinstance(summary, dict) or not isinstance(summary.get("results"), dict):
        raise ResultError(f"{path} is not the summary of a run, sweep or reproduction")
    if "interrupted_at_ms" in summary:
        raise ResultError(f"{folder} holds an interrupted run: finish it with --resume first")
    return summary


def _template(name: str) -> jinja2.Template:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape="html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"md": _markdown, "fenced": _fenced}
    return environment.from_string(text)


def _markdown(text: object) -> str:
    """A text on one line that Markdown, or HTML within it, shows as it is."""
    flat = " ".join(str(text).split())
    safe = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", safe)


def _fenced(code: object) -> str:
    """A block of code, between more backticks than it holds in a row."""
    text = str(code)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _facts(summary: Mapping) -> dict[str, str]:
    """What computed it, on one line each."""
    found = {key.replace("_", " "): _text(summary[key]) for key in _FACTS if key in summary}
    over = summary.get("over", {})
    found["over"] = "; ".join(f"{name} = {', '.join(values)}" for name, values in over.items())
    seconds = summary.get("wall_seconds", {})
    found["wall time"] = ", ".join(
        f"{k} {v:,.3g} s" if v < 100 else f"{k} {v:,.0f} s" for k, v in seconds.items()
    )
    found["versions"] = ", ".join(f"{k} {v}" for k, v in summary.get("versions", {}).items())
    digests = summary.get("model_digests") or {"model": summary.get("model_digest", "")}
    found["hash of the model"] = ", ".join(f"{name} {d[:16]}" for name, d in digests.items() if d)
    return {key: value for key, value in found.items() if value}


def _text(value: object) -> str:
    if isinstance(value, list):  # the replicas of a run
        return str(len(value))
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
    spread, defined = summary.get("standard_deviations", {}), summary.get("definitions", {})
    rows = [
        [key.replace("_", " "), _text(value) + _spread(spread.get(key))]
        for key, value in summary["results"].items()
        if value is not None
    ]
    value = "mean ± standard deviation (n - 1)" if spread else "value"
    return [
        {
            "title": "Results",
            "text": "",
            "table": {"columns": ["", value], "rows": rows},
            "figures": summary.get("figures", []),
            "captions": summary.get("captions", {}),
            "definitions": {key.replace("_", " "): text for key, text in defined.items()},
            "commands": [],
        }
    ]


def _spread(value: float | None) -> str:
    """A standard deviation after its mean; none where it is not known."""
    return "" if value is None else f" ± {value:.2g}"


def _section(section: Mapping, folder: Path, keep: Callable[[Path, Path], str]) -> dict:
    """With its figures kept, each under a name that no other has, with what it shows and its width on a page."""
    captions, figures = section.get("captions", {}), []
    for path in section["figures"]:
        found = _find(folder, Path(path))
        inside = found.relative_to(folder) if found.is_relative_to(folder) else Path(found.name)
        caption = captions.get(Path(path).name) or section["title"]
        figures.append((keep(found, inside), caption, _width(found)))
    return {"definitions": {}, **section, "figures": figures}


def _width(figure: Path) -> int | None:
    """Pixels of a page for a picture that says how wide it is printed; None for one that does not."""
    if figure.suffix == ".svg":
        points = re.search(r'<svg[^>]* width="([\d.]+)pt"', figure.read_text("utf-8", "replace"))
        return round(float(points[1]) / 72 * _PER_INCH) if points else None
    with Image.open(figure) as image:
        resolution = image.info.get("dpi", (0,))[0]
        return round(image.width / resolution * _PER_INCH) if resolution else None


def _find(folder: Path, path: Path) -> Path:
    """A figure in its results folder, wherever that has been moved to; no other file."""
    root = folder.resolve()
    for start in range(len(path.parts)):
        inside = folder.joinpath(*path.parts[start:])
        if (
            inside.suffix in _EMBEDDED
            and inside.is_file()
            and inside.resolve().is_relative_to(root)
        ):
            return inside
    if path.suffix not in _EMBEDDED:
        kinds = " or ".join(_EMBEDDED)
        raise ResultError(
            f"a page shows figures that end in {kinds}: the figure {printable(path.name)} does not"
        )
    raise ResultError(f"{folder}: the figure {printable(path.name)} is gone")


def _embedded(path: Path, inside: Path) -> str:
    return f"data:{_EMBEDDED[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _folder_beside(out: Path) -> Path:
    """Where a Markdown report has its figures."""
    return out.with_suffix("")


def _beside(out: Path, results_folder: Path) -> Callable[[Path, Path], str]:
    """Copies of figures in a folder named as the file; in a results folder of that name they are."""
    folder = _folder_beside(out)
    there = folder.resolve() == results_folder.resolve()

    def copy(path: Path, inside: Path) -> str:
        if there:
            return quote(f"{folder.name}/{inside.as_posix()}")
        name = "-".join(inside.parts)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
        return quote(f"{folder.name}/{name}")

    return copy
