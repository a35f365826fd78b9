"""How the site is built: ``make docs``, without a network, and without a warning."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generated  # noqa: E402

from neuroglia_snn import __version__  # noqa: E402

project = "neuroglia_snn"
author = "neuroglia_snn developers"
project_copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
]
root_doc = "index"
source_suffix = {".md": "markdown"}
exclude_patterns = []
html_theme = "furo"
html_title = f"neuroglia_snn {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_sourcelink = False
html_copy_source = False

myst_enable_extensions = ["deflist"]
smartquotes_action = "qe"  # quotes and dots; two dashes begin a flag
myst_heading_anchors = 4
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autosummary_generate = False  # one page has them all
autodoc_typehints = "none"  # the docstrings say them
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_use_unqualified_type_hints = True

default_role = "code"
nitpicky = True
#: What is documented elsewhere, by other projects: the site is built without a network.
nitpick_ignore_regex = [
    (r"py:.*", r"(xarray|xr|matplotlib|brian2|numpy|argparse|collections|pathlib|torch|nir)\..*"),
    (r"py:.*", r"(Path|Quantity|Figure|PathLike|Any|Mapping|Sequence|Callable)"),
    (
        r"py:.*",
        r"neuroglia_snn\.(spec|catalog|checks|errors|exchange|results|options|experiments)\b.*",
    ),
]


def _fill(app: object, page: str, source: list[str]) -> None:
    """Replace ``<!-- generated: NAME -->`` of a page by what `generated` makes of the code."""
    source[0] = re.sub(
        r"<!-- generated: (\w+) -->", lambda found: generated.PARTS[found[1]](), source[0]
    )


def setup(app: object) -> None:
    app.connect("source-read", _fill)
