"""Noise-induced memory of a neuron-astrocyte lattice.

Paper: Zhao et al., "Noise-induced artificial intelligence", Phys. Rev. Research 4, 043069 (2022).
"""
