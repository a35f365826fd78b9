"""What a run of a network tells of itself; it imports nothing that a simulator's Python may lack."""

from __future__ import annotations

import json
import os
import resource
import time


def since_start() -> float:
    """Seconds since this process was started, by the clock of the process that started it."""
    return time.time() - float(os.environ["STARTED"])


def report(
    done: float,
    loop: float,
    steps: int,
    spikes: int,
    neurons: int,
    synapses: int,
    seconds: float,
    inputs: int = 0,
    input_rate: float | None = None,
) -> None:
    """Print one line.

    ``done`` is `since_start` where the run was over, ``loop`` the seconds of its time loop. ``inputs`` are
    units beside the neurons; synapses come from these where they have an ``input_rate``.
    """
    rate = spikes / neurons / seconds
    events = synapses * (rate if input_rate is None else input_rate) * seconds
    print(
        json.dumps(
            {
                "before": done - loop,
                "step": loop / steps * 1e6,
                "neuron": loop / steps / (neurons + inputs) * 1e9,
                "event": loop / events * 1e9 if events else 0.0,
                "rate": rate,
                "synapses": synapses,
                "own": _mebibytes(resource.RUSAGE_SELF),
                "children": _mebibytes(resource.RUSAGE_CHILDREN),
            }
        )
    )


def _mebibytes(whose: int) -> float:
    """The most memory that this process held at once, or the largest of the processes it started."""
    return resource.getrusage(whose).ru_maxrss / 1024
