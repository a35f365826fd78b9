"""Spiking networks of neurons and glia from one equation file, for every target."""

__version__ = "0.1.0"
