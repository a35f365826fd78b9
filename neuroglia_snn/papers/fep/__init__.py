"""Self-organised learning under the free-energy principle, and the cultures that show it.

Shapes of arrays are (session, trial, ...); a source, electrode or ensemble is on (1) or off (0) in a trial.

Paper: Isomura, Kotani, Jimbo and Friston, "Experimental validation of the free-energy principle with in
vitro neural networks", Nat. Commun. 14:4547 (2023).
"""

from __future__ import annotations

from neuroglia_snn.errors import UserError


class RecordingError(UserError):
    """Recorded responses cannot be read or analysed; the message names the culture."""
