"""Astrocytes at a layer for a whole batch, against one image at a time with weights really changed.

    python benchmarks/anan.py [--batch 64] [--rounds 5]

Each round times the wrapped network, the network alone and the one-at-a-time reference in turn, on one
thread; the table gives the fastest of each and the ratios. Needs ``pip install 'neuroglia_snn[torch]'``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from neuroglia_snn.papers.anan import AstrocyteModulated, reference
from neuroglia_snn.papers.anan.networks import ConvolutionalNetwork

#: Name, channels, side and kernel of the study's networks.
NETWORKS = (("digits", 1, 8, 3), ("28 px, 3 x 3", 3, 28, 3), ("28 px, 5 x 5", 3, 28, 5))


def seconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.no_grad()
def compare(batch: int, rounds: int, k: int, channels: int, side: int, kernel: int) -> list[float]:
    """Seconds of the reference, the wrapped network and the network alone, fastest of the rounds."""
    torch.manual_seed(0)
    network = ConvolutionalNetwork(channels, side, 1, kernel).eval()
    modulated = AstrocyteModulated(network, "conv1", k=k, mu=2, a=1.05, b=0.30)
    images = torch.rand(batch, channels, side, side)
    cases = (
        lambda: reference.answer(network, "conv1", images, k, 2, 1.05, 0.30),
        lambda: modulated(images),
        lambda: network(images),
    )
    times = [[seconds(case) for case in cases] for _ in range(rounds + 1)][1:]  # the first warms up
    return [min(column) for column in zip(*times, strict=True)]


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("network        k   one at a time    batch    ratio   batch/plain")
    for name, *shape in NETWORKS:
        for k in (4, 8):
            slow, fast, plain = compare(arguments.batch, arguments.rounds, k, *shape)
            print(
                f"{name:13} {k:2}  {slow * 1e3:11.1f} ms {fast * 1e3:7.1f} ms   x {slow / fast:5.1f}"
                f"      x {fast / plain:.2f}"
            )


if __name__ == "__main__":
    main()
