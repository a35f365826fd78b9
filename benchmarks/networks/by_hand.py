"""COBA by hand: ``coba.c``, compiled and run.

by_hand.py SECONDS
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from report import report, since_start

FLAGS = ("-O3", "-march=native", "-ffast-math")


def main(seconds: float) -> None:
    source, made = Path(__file__).with_name("coba.c"), Path(os.environ["FOLDER"])
    if not made.exists():
        command = [os.environ.get("CC", "cc"), *FLAGS, str(source), "-o", str(made), "-lm"]
        subprocess.run(command, check=True)
    done = subprocess.run([made, str(seconds)], check=True, capture_output=True, text=True)
    loop, spikes, synapses = map(float, done.stdout.split())
    report(since_start(), loop, round(seconds * 1e4), int(spikes), 4000, int(synapses), seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]))
