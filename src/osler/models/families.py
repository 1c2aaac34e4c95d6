"""Every family of networks. Importing this file fills the registry."""

from osler.models import (
    airbench,
    convnet,
    deep_belief_network,
    lenet,
    mlp,
    resnet,
    resnet_cifar,
    resnet_preact,
    senet,
    stacked_autoencoder,
)

__all__ = [
    "airbench",
    "convnet",
    "deep_belief_network",
    "lenet",
    "mlp",
    "resnet",
    "resnet_cifar",
    "resnet_preact",
    "senet",
    "stacked_autoencoder",
]
