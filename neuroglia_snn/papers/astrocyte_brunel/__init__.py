"""A neuron-astrocyte network with tripartite synapses: rates, synchrony and calcium, beside NEST's.

Paper: Jiang et al., PLoS Comput. Biol. (2025), doi:10.1371/journal.pcbi.1013503; its networks are NEST's examples and those
of the authors' scripts.
"""
