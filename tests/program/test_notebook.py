"""A notebook on the device ``neuroglia``: cells that run again, values that change between them."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    """
import neuroglia_snn.brian
from brian2 import *
set_device("neuroglia")
""",
    """
start_scope()
group = NeuronGroup(5, "dv/dt = (level - v)/(5*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
level = 1.5
spikes = SpikeMonitor(group)
run(10*ms, report="text")
print("first", spikes.num_spikes)
""",
    """
level = 3
run(10*ms)
print("second", spikes.num_spikes)
""",
    """
from brian2 import get_device
print(type(get_device()).__name__)
""",
)


@pytest.mark.thorough
def test_cells_run_one_after_the_other(tmp_path):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    NotebookClient(book, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    texts = ["".join(o.get("text", "") for o in cell.outputs) for cell in book.cells]
    first, second = (int(texts[k].split()[-1]) for k in (1, 2))
    assert "first" in texts[1] and first == 5 and second > 2 * first
    assert texts[3].strip() == "NeurogliaDevice"
