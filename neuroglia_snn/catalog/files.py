"""Where the catalogue's files are: the models and hardware targets that come with the package.

A wheel carries them inside the package, in ``_catalog/``. A checkout, and so an editable install,
has them in ``models/`` and ``hardware/`` beside the package. A folder of such a name anywhere else
is a stranger's and is never read.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from neuroglia_snn.errors import CatalogError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Kind of file -> what one of them is called in a message.
KINDS = {"models": "model", "hardware": "hardware target"}

_PACKAGE = Path(__file__).resolve().parents[1]


def names(kind: str) -> list[str]:
    """Names of all catalogue files of a kind (``models`` or ``hardware``), sorted.

    Raises
    ------
    CatalogError
        If the package has no such folder.
    """
    return sorted(_files(kind))


def find(kind: str, name: str) -> Path:
    """The catalogue file of this kind and name; a name is a file's stem, never a path.

    Raises
    ------
    CatalogError
        If there is none of this name (with the nearest known names), or no such folder.
    """
    known = _files(kind)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(map(repr, near))}?"
    else:
        hint = f"there are {', '.join(sorted(known)) or 'none'}"
    raise CatalogError(f"no {KINDS[kind]} is called {name!r}; {hint}")


def _files(kind: str) -> dict[str, Path]:
    """Name -> file; hidden files, such as an editor's or macOS's, are not the catalogue's."""
    found = _folder(kind).glob("*.toml")
    return {path.stem: path for path in found if path.is_file() and path.name[0] != "."}


def _folder(kind: str) -> Path:
    """The folder of a kind: the installed one, else the checkout's."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)} (got {kind!r})")
    installed = _PACKAGE / "_catalog" / kind
    checkout = _PACKAGE.parent / kind
    if installed.is_dir():
        return installed
    if checkout.is_dir() and _is_our_checkout(_PACKAGE.parent):
        return checkout
    raise CatalogError(
        f"the catalogue's {kind} are missing: neither {installed} (where an installed package has "
        f"them) nor {checkout} beside this project's pyproject.toml (where a checkout has them) is "
        "there; install neuroglia_snn again"
    )


def _is_our_checkout(folder: Path) -> bool:
    """Whether the folder's pyproject.toml is this project's, and not a stranger's."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project")
    except (OSError, ValueError):  # not there, not text, or not TOML
        return False
    return isinstance(project, dict) and project.get("name") == "neuroglia_snn"
