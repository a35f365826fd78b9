"""One look of all figures: their sizes, colours, formats, and that none is drawn by other means."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import neuroglia_snn
from neuroglia_snn.errors import UserError
from neuroglia_snn.results import style

PACKAGE = Path(neuroglia_snn.__file__).parent
#: What is left of linear light for those who see no red, or no green (Machado et al. 2009, severity 1).
SIGHT = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip
#: From linear light (sRGB) to XYZ of D65.
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colour: str, sight: str) -> np.ndarray:
    """A colour in CIELAB as it is seen."""
    shown = np.array(to_rgb(colour))
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    x = np.array(XYZ) @ np.clip(SIGHT[sight] @ light, 0, 1) / (0.9505, 1, 1.089)
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_can_be_told_apart(sight):
    """Differences of 10 are seen at a glance; of 2.3, side by side."""
    for one, other in itertools.combinations(style.COLOURS, 2):
        assert np.linalg.norm(lab(one, sight) - lab(other, sight)) > 10, (one, other)


def test_lines_of_a_sweep_are_all_different():
    assert len({tuple(style.series(n).values()) for n in range(42)}) == 42


@pytest.mark.parametrize("kind", style.FORMATS)
def test_a_figure_is_as_wide_as_a_column_with_text_of_seven_points_or_more(kind, tmp_path):
    before = dict(matplotlib.rcParams)
    with style.applied(kind):
        figure, axes = style.subplots(1, 1, (style.COLUMN, 2))
        axes.plot([0, 1], label="line")
        axes.set(xlabel="time (ms)", title="title")
        axes.legend()
        path = style.save(figure, tmp_path / "figure-0.5")
    assert path.name == f"figure-0.5.{kind}" and path.read_bytes()
    assert dict(matplotlib.rcParams) == before
    assert figure.get_figwidth() * 25.4 == pytest.approx(85)
    texts = [axes.title, axes.xaxis.label, *axes.get_xticklabels(), *axes.get_legend().get_texts()]
    assert min(text.get_fontsize() for text in texts) >= 7


def test_another_format_is_refused():
    with (
        pytest.raises(UserError, match="figures are png, svg, pdf, not 'gif'"),
        style.applied("gif"),
    ):
        pass


def test_no_other_module_draws_in_sizes_colours_or_files_of_its_own():
    for path in PACKAGE.rglob("*.py"):
        if path.name != "style.py":
            text = path.read_text("utf-8")
            found = re.findall(
                r"\.savefig\(|Figure\(fig|Figure\(\)|pyplot|[\"']#[0-9a-fA-F]{6}", text
            )
            assert not found, f"{path}: {found}"
            assert not re.search(r"\.std\((?!.*ddof=1)|np\.std\((?!.*ddof=1)", text), path
