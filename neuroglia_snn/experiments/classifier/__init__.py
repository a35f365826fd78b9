"""Handwritten digits read by a network whose hidden units are those of a model file.

`response` is what a unit does with a constant input, `networks` the layers around it, `training` and
`evaluation` what is done with them. Needs the extra ``torch``.
"""

import neuroglia_snn.backends.torch  # noqa: F401 - first: it says what to install without torch
