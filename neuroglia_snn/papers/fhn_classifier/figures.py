"""Figures of the classifier, after the paper's 3, 4 and 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from neuroglia_snn.papers.fhn_classifier.evaluation import longest, winners
from neuroglia_snn.papers.fhn_classifier.networks import Network
from neuroglia_snn.papers.fhn_classifier.response import Protocol, Table
from neuroglia_snn.papers.fhn_classifier.setup import CLASSES, Setup
from neuroglia_snn.papers.fhn_classifier.training import Data
from neuroglia_snn.results.style import (
    COLUMN,
    CONTROL,
    MODEL,
    PAGE,
    REFERENCE,
    save,
    subplots,
)

_TRAIN, _TEST, _PAPER = MODEL, CONTROL, REFERENCE


def three_digits(
    network: Network, table: Table, asked: Setup, data: Data, digits: Sequence[int] = (0, 3, 5)
) -> dict[int, np.ndarray]:
    """The winning class over time for an image of each of some digits (Figure 3).

    As in the paper, images that are answered rightly although the answer changes: the first of the
    digit's first 200; where there is none, its first image.
    """
    found = {}
    for digit in digits:
        chosen = (data.labels == digit).nonzero().flatten()[:200]
        if not len(chosen):
            continue
        won = winners(network, data.images[chosen], table.outputs, asked.alpha)
        right, held = longest(won, CLASSES) == digit, (won == digit).double().mean(1)
        wanted = (right & (held < 1)).nonzero().flatten()
        found[digit] = won[int(wanted[0]) if len(wanted) else 0].numpy()
    return found


def over_time(found: Mapping[int, np.ndarray], protocol: Protocol, path: Path) -> Path:
    """Figure 3: the network's answer over the control time, for an image of each digit."""
    size = COLUMN, 1.2 * len(found) + 0.4
    figure, axes = subplots(len(found), 1, size, sharex=True, squeeze=False)
    times = (protocol.transient + protocol.times) * 1e3
    for axis, (digit, won) in zip(axes[:, 0], found.items(), strict=True):
        held = int(np.bincount(won, minlength=10).argmax())
        axis.step(times, won, where="pre", color=_TRAIN)
        axis.axhline(held, color=_TEST, lw=0.8, ls="--")
        axis.set(ylim=(-0.5, 9.5), yticks=range(0, 10), ylabel="class")
        axis.set_title(f"image of {digit}: longest {held} ({np.mean(won == held):.0%})")
    axes[-1, 0].set_xlabel("time (units of the paper; 1 ms in the model file)")
    return save(figure, path)


def curves(found: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> Path:
    """Figure 6: cost and accuracy by epoch of one or several trainings."""
    figure, (left, right) = subplots(1, 2, (PAGE, 2.6))
    for n, (label, epochs) in enumerate(found.items()):
        x, style = range(1, len(epochs) + 1), ("-", "--", ":", "-.")[n % 4]
        cost = np.array([e["loss"] for e in epochs])
        left.plot(x, cost / cost[0], style, color=_PAPER, label=label)
        for key, colour in (("train", _TRAIN), ("test", _TEST)):
            y = [100 * e[f"{key}_accuracy"] for e in epochs]
            right.plot(x, y, style, color=colour, label=f"{key} set" if n == 0 else None)
    left.set(xlabel="epoch", ylabel="cost / cost of the first epoch", yscale="log")
    right.set(xlabel="epoch", ylabel="accuracy (%)")
    for axis in (left, right):
        axis.legend()
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return save(figure, path)


def confusion(counts: np.ndarray, path: Path) -> Path:
    """Test images of each class by the network's answer."""
    figure, axis = subplots(1, 1, (COLUMN, 2.9))
    share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    drawn = axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*counts.shape):
        if counts[row, column]:
            dark = share[row, column] > 50
            axis.text(
                *(column, row, counts[row, column]),
                ha="center",
                va="center",
                fontsize=6,
                color="white" if dark else "black",
            )
    ticks = range(len(counts))
    axis.set(xlabel="answer", ylabel="digit", xticks=ticks, yticks=ticks)
    figure.colorbar(drawn, label="share of the digit's images (%)", shrink=0.85)
    return save(figure, path)


def against_alpha(alphas: Sequence[float], accuracies: np.ndarray, path: Path) -> Path:
    """Figure 4: test accuracy against alpha; ``accuracies`` is (seeds, alphas), as fractions."""
    figure, axis = subplots(1, 1, (COLUMN, 2.4))
    for row in accuracies:
        axis.plot(alphas, 100 * row, ".", color=_TRAIN, alpha=0.45, ms=5)
    label = f"mean of {len(accuracies)} networks" if len(accuracies) > 1 else "one network"
    axis.plot(alphas, 100 * accuracies.mean(0), color=_TRAIN, label=label)
    for y, name in zip((73.3, 82.9, 3.6), ("1", "2", "3"), strict=True):
        axis.axhline(y, color=_PAPER, lw=0.8, ls=":")
        axis.text(max(alphas), y + 1, f"paper, column {name}", ha="right", color=_PAPER)
    axis.set_xscale("symlog", linthresh=1, linscale=1)
    axis.set_xticks(ticks := [-10, -5, -2, -1, 0, 1, 2, 5, 10], [f"{t:g}" for t in ticks])
    axis.set(xlabel="alpha", ylabel="accuracy on the test set (%)", ylim=(0, 100))
    axis.legend(loc="center right")
    axis.grid(alpha=0.3)
    return save(figure, path)
