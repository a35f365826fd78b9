"""The patterns that a working memory is shown: digits, and pixels that are turned over in them."""

from __future__ import annotations

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from neuroglia_snn.errors import ImageError
from neuroglia_snn.images import BoolArray, describe_size, require_boolean

#: Height of a text, or its width where it is wider than high, in the lattice's.
_PART = 0.8
_MIN_SIDE = 10


#: Of the font: how thick its strokes are.
WEIGHTS = ("bold", "regular")


def draw_text(text: str, shape: tuple[int, int], weight: str = WEIGHTS[0]) -> BoolArray:
    """Draw a text, such as a digit, in the middle of a lattice.

    It is set in the sans-serif font that comes with matplotlib, and fills 80 % of the lattice's height,
    or of its width where that is less.

    Parameters
    ----------
    text
        Letters and digits.
    shape
        (rows, columns) of the lattice, in pixels; 10 at least along each axis.
    weight
        One of `WEIGHTS`.

    Returns
    -------
    ndarray of bool
        The image, of `shape`; True is stimulated.

    Raises
    ------
    ImageError
        If the lattice is too small, or the text has nothing to draw.
    """
    if min(shape) < _MIN_SIDE:
        raise ImageError(
            f"a lattice of {describe_size(shape)} is too small for a digit, which needs"
            f" {_MIN_SIDE} x {_MIN_SIDE} at least"
        )
    if not text.strip():
        raise ImageError(f"there is nothing to draw of {text!r}")
    outline = TextPath((0, 0), text, prop=FontProperties(family="DejaVu Sans", weight=weight))
    box = outline.get_extents()
    size = (
        max(box.height / shape[0], box.width / shape[1]) / _PART
    )  # of a pixel, in the font's units
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in shape)
    x = (box.x0 + box.x1) / 2 + columns * size
    y = (box.y0 + box.y1) / 2 - rows * size
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    inside = [Path(closed).contains_points(points) for closed in outline.to_polygons()]
    return np.logical_xor.reduce(inside).reshape(shape)  # what is within a hole is not inked


def turned_over(image: BoolArray, fraction: float, seed: int | np.random.SeedSequence) -> BoolArray:
    """Turn over a fraction of an image's pixels: True becomes False, and False True.

    Exactly ``round(fraction * image.size)`` pixels are drawn without replacement.

    Parameters
    ----------
    image
        Boolean array of any shape; it is left as it is.
    fraction
        From 0 to 1.
    seed
        Seed of the PCG64 generator: the same seed draws the same pixels.

    Raises
    ------
    ImageError
        If `image` is not boolean or `fraction` is not within [0, 1].

    Notes
    -----
    This is the noise of the published program of Gordleeva et al. 2021 (``make_experiment.m``). Salt and
    pepper overwrites pixels, so that half of as many change.
    """
    if not 0 <= fraction <= 1:
        raise ImageError(f"the fraction of pixels has to lie between 0 and 1, not {fraction}")
    noisy: BoolArray = require_boolean(image).copy()
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.choice(noisy.size, size=round(fraction * noisy.size), replace=False)
    noisy.flat[drawn] = ~noisy.flat[drawn]
    return noisy
