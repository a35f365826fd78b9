"""Progress bars: in a terminal on stderr, in a notebook below the cell."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

Update = Callable[[float, float], None]


def wanted() -> bool:
    """Whether somebody may look at a bar: stderr is a terminal, or this is a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _bar(**options: Any) -> Any:
    """A bar of the kind that shows here."""
    if "ipykernel" in sys.modules:
        from tqdm.auto import tqdm
    else:
        from tqdm import tqdm  # type: ignore[assignment]

        options["file"] = sys.stderr
    return tqdm(**options)


class Bars:
    """Progress bars that are closed together.

    As a function it is what a run takes: called with a label, it gives the callback that follows a
    simulation with (fraction done, model time in s).
    """

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()

    def __call__(self, label: str) -> Update:
        bar = _bar(
            total=100,
            desc=label,
            unit="%",
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        )
        self._open.callback(bar.close)

        def update(fraction: float, model_time: float) -> None:
            if model_time > 0:
                bar.set_postfix_str(f"t = {model_time * 1e3:.4g} ms", refresh=False)
            bar.update(100 * fraction - bar.n)
            if fraction >= 1:
                bar.close()

        return update

    def points(self) -> Callable[[int, int, str], None]:
        """A bar over the points of a sweep, with the time that remains and the best so far."""
        bar: Any = None  # until the first word: what comes before may be a refusal

        def update(done: int, total: int, best: str) -> None:
            nonlocal bar
            if bar is None:
                bar = _bar(total=total, initial=done, unit="point")
                self._open.callback(bar.close)
            bar.set_postfix_str(best, refresh=False)
            bar.update(done - bar.n)
            if done == total:
                bar.close()

        return update

    def close(self) -> None:
        """Close all of them."""
        self._open.close()
