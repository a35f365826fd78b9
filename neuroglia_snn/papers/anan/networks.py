"""The networks that the study wraps: a plain CNN, and the same with spiking neurons."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvolutionalNetwork(nn.Module):
    """Blocks of convolution, ReLU and 2 x 2 maximum pooling, then two linear layers.

    The paper's base network by its text (sec. 3.2); its Figure 2, with the sizes, is not in the text.

    Parameters
    ----------
    channels : int
        Of the images.
    size : int
        Pixels of a side.
    outputs : int
        1 for two classes (the logit of the positive one), else the number of classes.
    kernel : int
        Side of the kernels, odd.
    blocks : int
        Number of convolutions; each has twice the kernels of the one before.
    width : int
        Kernels of the first.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        outputs: int,
        kernel: int = 3,
        blocks: int = 3,
        width: int = 32,
    ):
        super().__init__()
        self.blocks = blocks
        for number in range(blocks):
            kernels = width * 2**number
            setattr(self, f"conv{number + 1}", nn.Conv2d(channels, kernels, kernel, padding="same"))
            channels = kernels
        self.fc1 = nn.Linear(channels * (size >> blocks) ** 2, 128)
        self.fc2 = nn.Linear(128, outputs)
        # pooling takes a tenth of the time on a CPU
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (images, outputs), of images of shape (images, channels, size, size)."""
        x = images
        for number in range(self.blocks):
            x = nn.functional.max_pool2d(getattr(self, f"conv{number + 1}")(x), 2).relu()
        return self.fc2(self.fc1(x.flatten(1)).relu())


class SpikingNetwork(ConvolutionalNetwork):
    """`ConvolutionalNetwork` with leaky integrate-and-fire neurons of snntorch instead of ReLU.

    The image is a constant input for ``steps`` time steps; the answer is the output layer's mean.
    Parameters beside those of `ConvolutionalNetwork`: the membrane's decay per step, and the steps.
    """

    def __init__(self, *sizes: int, decay: float = 0.9, steps: int = 10, **named: int):
        super().__init__(*sizes, **named)
        import snntorch

        self.steps = steps
        for number in range(1, self.blocks + 1):
            setattr(self, f"lif{number}", snntorch.Leaky(beta=decay))
        self.lif = snntorch.Leaky(beta=decay)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, averaged over time; see `ConvolutionalNetwork`."""
        neurons = [getattr(self, f"lif{n + 1}") for n in range(self.blocks)] + [self.lif]
        membranes = [neuron.init_leaky() for neuron in neurons]
        answers = []
        for _ in range(self.steps):
            x = images
            for n in range(self.blocks):
                current = getattr(self, f"conv{n + 1}")(x)
                spikes, membranes[n] = neurons[n](current, membranes[n])
                x = nn.functional.max_pool2d(spikes, 2)
            spikes, membranes[-1] = self.lif(self.fc1(x.flatten(1)), membranes[-1])
            answers.append(self.fc2(spikes))
        return torch.stack(answers).mean(0)
