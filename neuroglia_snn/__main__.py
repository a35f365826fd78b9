"""``python -m neuroglia_snn`` is the ``neuroglia`` command."""

import sys

from neuroglia_snn.cli import main

sys.exit(main())
