"""Program: what a run of a Brian2 network does, and nothing about how.

`build` makes one from a network that is ready to run, `reference` runs it in NumPy, and
`neuroglia_snn.emit` renders it as C++.
"""
