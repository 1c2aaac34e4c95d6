"""How often networks are right, as published: what a chooser and a history may compare.

ImageNet: top-1 in percent on the validation pictures of ILSVRC-2012, of one network and one view of each picture, trained
by about the recipe of its paper. Longer recipes of later years add up to five points to any of them (compare
`weights_table`). CIFAR-10: percent on its test pictures, trained with shifted and mirrored ones.
"""

TORCHVISION = {  # its first weights (documentation, "Models and pre-trained weights", IMAGENET1K_V1)
    "vgg11": 69.020, "vgg13": 69.928, "vgg16": 71.592, "vgg19": 72.376,
    "vgg11_bn": 70.370, "vgg13_bn": 71.586, "vgg16_bn": 73.360, "vgg19_bn": 74.218,
    "googlenet": 69.778, "inception_v3": 77.294,
    "resnet18": 69.758, "resnet34": 73.314, "resnet50": 76.130, "resnet101": 77.374, "resnet152": 78.312,
    "densenet121": 74.434, "densenet161": 77.138, "densenet169": 75.600, "densenet201": 76.896,
    "mobilenet_v2": 71.878, "mobilenet_v3_small": 67.668, "mobilenet_v3_large": 74.042,
}  # fmt: skip
PAPERS = {
    "alexnet": 59.3,  # Krizhevsky et al. 2012, table 2, one network, mean of ten views
    "zfnet": 61.6,  # Zeiler and Fergus 2014, table 2, one network
    "nin_imagenet": 59.36,  # its authors' note beside the weights
    "bn_inception": 74.8,  # Ioffe and Szegedy 2015, figure 3, BN-x30
    "inception_v4": 80.0,  # Szegedy et al. 2016, table 2
    "inception_resnet_v2": 80.1,  # the same
    "seresnet50": 76.71, "seresnet101": 77.62, "seresnet152": 78.43,  # Hu et al. 2018, table 2
    "senet154": 81.32,  # the same, section 6.1
    "mobilenet_v1": 70.6,  # Howard et al. 2017, table 8
    "repvgg_a0": 72.41, "repvgg_a1": 74.46, "repvgg_a2": 76.48, "repvgg_b0": 75.14,  # Ding et al. 2021, table 4
    "repvgg_b1": 78.37, "repvgg_b1g2": 77.78, "repvgg_b1g4": 77.58, "repvgg_b2": 78.78,
    "repvgg_b2g4": 79.38, "repvgg_b3g4": 80.21, "repvgg_b3": 80.52,  # table 5: 200 epochs, stronger augmentation
}  # fmt: skip
CIFAR10 = {
    "nin_cifar10": 91.19,  # Lin et al. 2013, table 2
    "resnet20": 91.25, "resnet32": 92.49, "resnet44": 92.83, "resnet56": 93.03, "resnet110": 93.57,  # He et al. 2015, table 6
    "resnet110_preact": 93.63, "resnet164_preact": 94.54,  # He et al. 2016, table 2
    "densenet_bc100": 95.49,  # Huang et al. 2017, table 2
    "airbench": 94.0,  # Jordan 2024
}  # fmt: skip


def published_accuracy(network: str) -> float | None:
    """Of a registered network on the pictures for which it was published, in percent; None where none is known here."""
    return (TORCHVISION | PAPERS | CIFAR10).get(network)
