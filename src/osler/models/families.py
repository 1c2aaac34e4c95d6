"""Every family of networks. Importing this file fills the registry."""

from osler.models import airbench, convnet, lenet, resnet, resnet_cifar

__all__ = ["airbench", "convnet", "lenet", "resnet", "resnet_cifar"]
