"""Public ImageNet weights: address, checksum, licence, preprocessing and published accuracy of each.

The addresses and accuracies are torchvision's (its documentation, "Models and pre-trained weights", release 0.29; top-1
and top-5 in percent on ILSVRC-2012's validation pictures, one centre crop). Its file names carry the first eight digits
of the files' SHA-256. The weights are published under torchvision's BSD 3-clause licence; ImageNet's own terms allow its
pictures for research that is not commercial, and whether they reach to the weights is the user's to judge.
"""

from dataclasses import dataclass

from osler.models.public_names import PublicNetwork
from osler.structures.download import RemoteFile

ADDRESS = "https://download.pytorch.org/models/"
LICENCE = "BSD-3-Clause (torchvision)"


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """A file of weights as its library publishes it."""

    file: RemoteFile
    top1: float  # percent
    top5: float
    resize: int = 256  # short side in pixels before the centre crop
    crop: int = 224
    standardise: str = "imagenet"  # a name that `model.standardise` takes
    licence: str = LICENCE


def _row(name: str, top1: float, top5: float, **preprocessing: object) -> PublishedWeights:
    digits = name.rsplit(".", 1)[0].rpartition("-")[2]
    file = RemoteFile(ADDRESS + name, digits, "sha256")
    return PublishedWeights(file, top1, top5, **preprocessing)  # type: ignore[arg-type]


# GoogLeNet's and Inception v3's were trained on pictures in -1..1, which torchvision makes of ImageNet's statistics
# inside the network; V2 of the ResNets and MobileNets were trained by torchvision's longer recipe and see a larger resize.
TORCHVISION = {
    "alexnet": _row("alexnet-owt-7be5be79.pth", 56.522, 79.066),
    "vgg11": _row("vgg11-8a719046.pth", 69.020, 88.628),
    "vgg13": _row("vgg13-19584684.pth", 69.928, 89.246),
    "vgg16": _row("vgg16-397923af.pth", 71.592, 90.382),
    "vgg19": _row("vgg19-dcbb9e9d.pth", 72.376, 90.876),
    "vgg11_bn": _row("vgg11_bn-6002323d.pth", 70.370, 89.810),
    "vgg13_bn": _row("vgg13_bn-abd245e5.pth", 71.586, 90.374),
    "vgg16_bn": _row("vgg16_bn-6c64b313.pth", 73.360, 91.516),
    "vgg19_bn": _row("vgg19_bn-c79401a0.pth", 74.218, 91.842),
    "googlenet": _row("googlenet-1378be20.pth", 69.778, 89.530, standardise="half"),
    "inception_v3": _row("inception_v3_google-0cc3c7bd.pth", 77.294, 93.450, resize=342, crop=299, standardise="half"),
    "resnet18": _row("resnet18-f37072fd.pth", 69.758, 89.078),
    "resnet34": _row("resnet34-b627a593.pth", 73.314, 91.420),
    "resnet50": _row("resnet50-11ad3fa6.pth", 80.858, 95.434, resize=232),
    "resnet101": _row("resnet101-cd907fc2.pth", 81.886, 95.780, resize=232),
    "resnet152": _row("resnet152-f82ba261.pth", 82.284, 96.002, resize=232),
    "densenet121": _row("densenet121-a639ec97.pth", 74.434, 91.972),
    "densenet161": _row("densenet161-8d451a50.pth", 77.138, 93.560),
    "densenet169": _row("densenet169-b2777c0a.pth", 75.600, 92.806),
    "densenet201": _row("densenet201-c1103571.pth", 76.896, 93.370),
    "mobilenet_v2": _row("mobilenet_v2-7ebf99e0.pth", 72.154, 90.822, resize=232),
    "mobilenet_v3_small": _row("mobilenet_v3_small-047dcff4.pth", 67.668, 87.402),
    "mobilenet_v3_large": _row("mobilenet_v3_large-5c1a4163.pth", 75.274, 92.566, resize=232),
    "mnasnet1_0": _row("mnasnet1.0_top1_73.512-f206786ef8.pth", 73.456, 91.510),
}


def weights_of(public: PublicNetwork) -> PublishedWeights | None:
    """What its library publishes for a network, or None where no file is known here."""
    return TORCHVISION.get(public.name) if public.library == "torchvision" else None
