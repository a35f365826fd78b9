"""A neuron-astrocyte network with tripartite synapses: rates, synchrony and calcium, beside NEST's.

Paper: Jiang et al., "Modeling neuron-astrocyte interactions in neural networks using distributed simulation", PLoS Comput.
Biol. 21 (2025), doi:10.1371/journal.pcbi.1013503.
"""
