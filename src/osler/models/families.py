"""Every family of networks. Importing this file fills the registry."""

from osler.models import (
    airbench,
    convnet,
    deep_belief_network,
    densenet,
    lenet,
    mlp,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    repvgg,
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
    "densenet",
    "lenet",
    "mlp",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3",
    "repvgg",
    "resnet",
    "resnet_cifar",
    "resnet_preact",
    "senet",
    "stacked_autoencoder",
]
