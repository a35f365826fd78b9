"""Brian2 backends: ``numpy`` (runtime) and ``cpp`` (C++ standalone), from one network builder."""
