"""The patterns that the memory is shown: a digit '1', another beside it, and noise on both.

A pattern is a boolean array of shape (rows, columns), one pixel per neuron of the lattice:
True marks a stimulated neuron (Fig. 3a of "Noise-induced artificial intelligence", where a
digit '1' of 130 x 130 pixels is learned and recalled under salt-and-pepper noise).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroglia_snn.errors import ImageError
from neuroglia_snn.images import BoolArray, describe_size, require_boolean

# The patterns are drawn on a canvas of 130 x 130 units, the paper's lattice, on which a unit
# is a pixel; any other lattice samples the same canvas at the centres of its own pixels.
_CANVAS = 130
_TOP, _BOTTOM = 15, 115
_STEM = (52, 82)
_FLAG_LEFT, _FLAG_THICKNESS = 34, 24
_SIDE_STROKES = ((5, 27), (103, 125))
# With pixels wider than 13 units a pixel's centre may miss the flag, 18 units wide.
_MIN_SIDE = 10


def render_digit_one(shape: tuple[int, int] = (_CANVAS, _CANVAS)) -> BoolArray:
    """Draw the digit '1': an upright stem with a flag slanting down from its top to the left.

    At 130 x 130 the stem is 30 pixels wide and 100 high, the flag reaches 18 pixels to its
    left, and at least 15 pixels lie between the digit and each edge. Other lattices show the
    same drawing, scaled along each axis.

    Parameters
    ----------
    shape
        (rows, columns) of the lattice, in pixels; 10 at least along each axis.

    Returns
    -------
    ndarray of bool
        The image, of `shape`; True is stimulated.

    Raises
    ------
    ImageError
        If the lattice is too small to show the digit.

    Notes
    -----
    The project's own drawing, after Fig. 3a of "Noise-induced artificial intelligence", whose
    image is not published as data.
    """
    row, column = _canvas_coordinates(shape)
    stem = _between(row, _TOP, _BOTTOM) & _between(column, *_STEM)
    flag_top = _TOP + (_STEM[0] - column)
    flag = _between(column, _FLAG_LEFT, _STEM[0]) & _between(
        row, flag_top, flag_top + _FLAG_THICKNESS
    )
    return stem | flag


def render_disjoint(shape: tuple[int, int] = (_CANVAS, _CANVAS)) -> BoolArray:
    """Draw a pattern that shares no pixel with `render_digit_one`: one stroke on either side.

    At 130 x 130 both strokes are 22 pixels wide and 100 high, 5 pixels from the edge; the left
    one lies 7 pixels from the digit's flag, the right one 21 from its stem. Other lattices show
    the same drawing, scaled along each axis; the two patterns never overlap.

    Parameters
    ----------
    shape
        (rows, columns) of the lattice, in pixels; 10 at least along each axis.

    Returns
    -------
    ndarray of bool
        The image, of `shape`; True is stimulated.

    Raises
    ------
    ImageError
        If the lattice is too small to show the pattern.

    Notes
    -----
    The project's own drawing, for the test with a pattern that was never trained (Fig. 3j-l of
    "Noise-induced artificial intelligence").
    """
    row, column = _canvas_coordinates(shape)
    left, right = (_between(column, *stroke) for stroke in _SIDE_STROKES)
    return _between(row, _TOP, _BOTTOM) & (left | right)


def salt_and_pepper(
    image: BoolArray, fraction: float, seed: int | np.random.SeedSequence
) -> BoolArray:
    """Set a fraction of an image's pixels to 1 (salt) or 0 (pepper), whatever they were.

    Exactly ``n = round(fraction * image.size)`` pixels are drawn without replacement; half of
    them, rounded up, become salt and the rest pepper. A drawn pixel keeps its value if that is
    what it is set to, so that only about half of the n pixels change.

    Parameters
    ----------
    image
        Boolean array of any shape; it is left as it is.
    fraction
        The noise density, from 0 to 1: 0.1 for the '10 % noise' of a training image.
    seed
        Seed of the PCG64 generator: the same seed draws the same pixels.

    Returns
    -------
    ndarray of bool
        The noisy copy, of the image's shape.

    Raises
    ------
    ImageError
        If `image` is not boolean or `fraction` is not within [0, 1].
    ValueError
        If `seed` is negative (from NumPy).

    Notes
    -----
    "Noise-induced artificial intelligence" trains with 10 % and tests with 40 % of 'salt and
    pepper noise' and does not define it; this is the term's usual meaning, in which the density
    counts the pixels overwritten, not those changed.
    """
    if not 0 <= fraction <= 1:
        raise ImageError(f"the noise fraction has to lie between 0 and 1, not {fraction}")
    noisy: BoolArray = require_boolean(image).copy()
    n_noisy = round(fraction * noisy.size)
    n_salt = (n_noisy + 1) // 2
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.choice(noisy.size, size=n_noisy, replace=False)
    noisy.flat[drawn[:n_salt]] = True
    noisy.flat[drawn[n_salt:]] = False
    return noisy


def _canvas_coordinates(
    shape: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of each pixel's centre on the canvas, as (rows, 1) and (1, columns)."""
    if min(shape) < _MIN_SIDE:
        raise ImageError(
            f"a lattice of {describe_size(shape)} is too small for the pattern, which needs "
            f"{_MIN_SIDE} x {_MIN_SIDE} at least"
        )
    rows, columns = ((np.arange(n) + 0.5) * _CANVAS / n for n in shape)
    return rows[:, np.newaxis], columns[np.newaxis, :]


def _between(
    coordinate: NDArray[np.float64],
    lower: float | NDArray[np.float64],
    upper: float | NDArray[np.float64],
) -> BoolArray:
    return (coordinate >= lower) & (coordinate < upper)
