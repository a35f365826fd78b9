"""Lava: a Program's parts as processes of Intel's simulator of Loihi, and what any network on it needs.

`machine` runs a program on it, `session` runs a network of processes and leaves nothing behind, `shared` is memory that
processes share, `compat` makes lava-nc importable.
"""
