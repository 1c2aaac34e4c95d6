"""Stacked denoising autoencoders that become a classifier (Vincent et al. 2008; Bengio et al. 2007 without the noise).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| stacked_autoencoder | 1x28x28 | 10 | 2,797,010 | 2,794,000 |

Three hidden layers of sigmoid units, by default of 1,000 as in the authors' larger networks ("Extracting and composing
robust features with denoising autoencoders"). On the training pictures, without their labels, each layer is first
trained to reconstruct what the layer below puts out although a share of it is hidden, by a decoder that is its
transpose; then the whole is trained with labels like any other network. `corruption=0` gives the ordinary autoencoders of
Bengio et al. 2007 ("Greedy layer-wise training of deep networks").
"""

from functools import partial
from typing import Annotated

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor

from osler.models.mlp import MLP, Units, Widths
from osler.models.registry import networks
from osler.nn.greedy_pretraining import LayerLog, learn_autoencoder, pretrain_layers
from osler.nn.unit_interval import as_probabilities


@networks.register("stacked_autoencoder")
class StackedAutoencoder(MLP):
    """Hidden layers of sigmoid units that `initialise_from_data` pretrains.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        widths: units of each hidden layer.
        corruption: share of a layer's inputs that are set to 0 while it learns.
        epochs: over the training pictures for each layer; 0 leaves the layers as they start.
        lr: learning rate of the autoencoders.
        side: pixels of the square that the first layer sees.
    """

    initialisation_pictures = 60_000  # to pretrain on, at most

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        widths: Widths = (1000, 1000, 1000),
        corruption: Annotated[float, Ge(0), Lt(1)] = 0.25,
        epochs: Annotated[int, Ge(0)] = 15,
        lr: Annotated[float, Gt(0)] = 0.1,
        side: Units = 28,
    ) -> None:
        super().__init__(num_classes, in_channels, widths, activation="sigmoid", side=side)
        self.corruption, self.epochs, self.lr = corruption, epochs, lr
        self.pretraining: list[LayerLog] = []

    def initialise_from_data(self, images: Float[Tensor, "batch channels height width"]) -> None:
        """Pretrains the hidden layers on standardised training pictures, from the weights that they have."""
        if not self.epochs:
            return
        learn = partial(learn_autoencoder, corruption=self.corruption, epochs=self.epochs, lr=self.lr)
        with as_probabilities(self.layers[0], self.rows(images)) as probabilities:
            self.pretraining = pretrain_layers(self.layers, probabilities, learn)
