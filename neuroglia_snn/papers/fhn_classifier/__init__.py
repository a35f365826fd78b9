"""Handwritten digits read by a network whose hidden units are those of a model file.

`response` is what a unit does with a constant input, `networks` the layers around it, `training` and
`evaluation` what is done with them. Needs the extra ``torch``.

Paper: Symbiosis of an artificial neural network and models of biological neurons: training and testing,
arXiv:2302.01636, Chaos 33(7), 2023.
"""
