"""Put a layer of FitzHugh-Nagumo units into a PyTorch model of your own, and train it.

    pip install 'neuroglia_snn[torch]'
    python examples/fhn_layer.py

The units come from models/fhn_excitable.toml; any other model file, yours too, works in its place.
"""

import torch
from snntorch import surrogate, utils

from neuroglia_snn.backends.torch import Neuron

torch.manual_seed(0)
# eps = 0.1 softens the units' jumps, so that steps may be ten times longer.
softer = {"eps": "0.1", "model.dt": "0.02 ms"}
layer = Neuron.load(
    "fhn_excitable", softer, steps=10, spike_grad=surrogate.fast_sigmoid(5), init_hidden=True
)
network = torch.nn.Sequential(torch.nn.Linear(2, 32), layer, torch.nn.Linear(32, 2))
optimiser = torch.optim.Adam(network.parameters(), lr=0.05)

points = torch.randn(256, 2)
labels = (points.norm(dim=1) > 1.18).long()  # inside or outside a circle
for epoch in range(20):
    utils.reset(network)  # every unit back to its initial state
    # 20 calls of 10 steps: 4 ms of spikes, from a constant input, counted by the last layer
    scores = sum(network(points) for _ in range(20)) / 20
    loss = torch.nn.functional.cross_entropy(scores, labels)
    optimiser.zero_grad()
    loss.backward()  # through time and the units' dynamics
    optimiser.step()
    right = (scores.argmax(1) == labels).float().mean()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: loss {loss:.3f}, {right:.0%} right")
