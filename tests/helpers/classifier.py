"""Settings of the model fhn_classifier for tests."""

#: Softer units and a short protocol.
QUICK = {
    "eps": "0.1",
    "model.dt": "0.02 ms",
    "experiment.transient": "1 ms",
    "experiment.control": "1 ms",
    "experiment.samples": "10",
}
