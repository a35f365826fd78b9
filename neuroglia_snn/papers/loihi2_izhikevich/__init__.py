"""Izhikevich neurons in integers, as on Loihi 2.

Uludağ, Çağdaş, İşler, Şengör and Aktürk, "Bio-realistic neural network implementation on Loihi 2 with Izhikevich
neurons", Neuromorph. Comput. Eng. 4, 024013 (2024), arXiv:2307.11844.
"""

from __future__ import annotations

from neuroglia_snn.papers.paper import Paper

PAPER = Paper(
    name="loihi2-izhikevich",
    TITLE="Izhikevich neurons in the integers of Loihi 2: firing patterns, and the error of their spike times",
    figures=("patterns", "error"),
    package=__name__,
    quick="one time step, and Lava for regular and fast spiking alone",
)
