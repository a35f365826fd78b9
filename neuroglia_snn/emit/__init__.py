"""Emitters: a `neuroglia_snn.program` as the text of a target, compiled and run."""
