"""Working memory of several patterns in a network of neurons and astrocytes.

Paper: Gordleeva et al., "Modeling working memory in a spiking neuron network accompanied by astrocytes",
Front. Cell. Neurosci. 15:631485 (2021).
"""
