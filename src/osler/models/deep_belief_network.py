"""A deep belief network that becomes a classifier (Hinton, Osindero, Teh 2006; Hinton and Salakhutdinov 2006).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| deep_belief_network | 1x28x28 | 10 | 1,665,010 | 1,662,000 |

784-500-500-2000-10 sigmoid units. On the training pictures, without their labels, each hidden layer is first trained as
a restricted Boltzmann machine on what the layer below puts out; then the whole is trained with labels like any other
network ("Reducing the dimensionality of data with neural networks", Science 313, supporting text, for classification).

Binary visible units see pixels, from the darkest to the brightest of the training pictures, as probabilities 0 to 1, as
both papers see handwritten digits. Gaussian ones see standardised values: better for photographs, whose greys are no
probabilities, and with a learning rate a hundredth as large.
"""

from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.mlp import MLP, Units, Widths
from osler.models.registry import networks
from osler.nn.boltzmann import START_SPREAD
from osler.nn.greedy_pretraining import LayerLog, learn_boltzmann, pretrain_layers
from osler.nn.unit_interval import as_probabilities

GAUSSIAN_RATE = 0.01  # of the learning rate of binary units (Hinton 2010, "A practical guide", section 13.2)


@networks.register("deep_belief_network")
class DeepBeliefNetwork(MLP):
    """Hidden layers of sigmoid units that `initialise_from_data` pretrains.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        widths: units of each hidden layer.
        visible: units of the first machine: `binary` or `gaussian`.
        steps: of sampling in contrastive divergence, k of CD-k.
        epochs: over the training pictures for each layer; 0 leaves the layers as they start.
        lr: learning rate of the machines with binary visible units.
        side: pixels of the square that the first layer sees.
    """

    initialisation_pictures = 60_000  # to pretrain on, at most

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        widths: Widths = (500, 500, 2000),
        visible: Literal["binary", "gaussian"] = "binary",
        steps: Units = 1,
        epochs: Annotated[int, Ge(0)] = 30,
        lr: Annotated[float, Gt(0)] = 0.1,
        side: Units = 28,
    ) -> None:
        super().__init__(num_classes, in_channels, widths, activation="sigmoid", side=side)
        self.visible, self.steps, self.epochs, self.lr = visible, steps, epochs, lr
        self.pretraining: list[LayerLog] = []
        if not self.head.weight.is_meta:  # PyTorch would load its compiler (1 s) to fill nothing
            for layer in self.layers:
                nn.init.normal_(layer.weight, 0.0, START_SPREAD)

    def initialise_from_data(self, images: Float[Tensor, "batch channels height width"]) -> None:
        """Pretrains the hidden layers on standardised training pictures, from the weights that they have."""
        if not self.epochs:
            return
        rows = self.rows(images)
        learn = partial(learn_boltzmann, steps=self.steps, epochs=self.epochs, lr=self.lr)
        if self.visible == "gaussian":
            first = partial(learn, units="gaussian", lr=GAUSSIAN_RATE * self.lr)
            self.pretraining = pretrain_layers(self.layers, rows, learn, first=first)
            return
        with as_probabilities(self.layers[0], rows) as probabilities:
            self.pretraining = pretrain_layers(self.layers, probabilities, learn)
