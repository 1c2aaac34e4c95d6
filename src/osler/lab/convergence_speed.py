"""What speeds up convergence (row OP26): five remedies, each alone, and the epochs until an accuracy is met."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.digits_halves import DigitsHalves, digits_halves
from osler.lab.small_training import train_digits
from osler.training.section import TrainSection

Make = Callable[[int], nn.Module]

WIDTH, DEPTH, NARROW = 64, 4, 16


class Block(nn.Module):
    """Two linear layers with ReLU, through `inner` units; the input is added to the output if it is `residual`."""

    def __init__(self, inner: int, *, residual: bool) -> None:
        super().__init__()
        self.inward, self.outward = nn.Linear(WIDTH, inner), nn.Linear(inner, WIDTH)
        self.residual = residual

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, 64) to (batch, 64)."""
        outputs = self.outward(torch.relu(self.inward(inputs)))
        return torch.relu(inputs + outputs if self.residual else outputs)


def deep_network(*, seed: int, residual: bool = False, inner: int = WIDTH) -> nn.Sequential:
    """Four blocks of two layers and a head, the weights by He et al. 2015."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(*(Block(inner, residual=residual) for _ in range(DEPTH)), nn.Linear(WIDTH, 10))
        for module in network.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        if residual:  # each block begins as the identity (Goyal et al. 2017, section 5.1)
            for block in network:
                if isinstance(block, Block):
                    nn.init.zeros_(block.outward.weight)
        return network


def multiply_adds(network: nn.Module) -> int:
    """For one sample: a linear network makes one for each weight."""
    return sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Linear))


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """A remedy against the plain training: epochs until the target, median over seeds (None: not in the time given)."""

    remedy: str
    without: int | None
    with_it: int | None
    multiply_adds_without: int
    multiply_adds_with: int

    @property
    def faster(self) -> bool:
        """Whether the remedy meets the target in fewer epochs."""
        return self.with_it is not None and (self.without is None or self.with_it < self.without)


PLAIN = {"optimizer": "sgd", "lr": 0.01, "weight_decay": 0, "schedule": "constant", "batch_size": 32}


def convergence_table(*, target: float = 0.9, epochs: int = 25, seeds: tuple[int, ...] = (0,)) -> tuple[SpeedRow, ...]:
    """Epochs to the target with each remedy alone.

    The plain training is eight hidden layers under SGD at 0.01. The bottleneck stands in residual blocks: it saves
    multiply-adds, not epochs. Pre-training is on turned and mirrored digits, never on upright ones.
    """

    def plain(seed: int) -> nn.Module:
        return deep_network(seed=seed)

    def residual(seed: int) -> nn.Module:
        return deep_network(seed=seed, residual=True)

    def narrow(seed: int) -> nn.Module:
        return deep_network(seed=seed, residual=True, inner=NARROW)

    def needed(make: Make, **changes: object) -> int | None:
        section = TrainSection.model_validate({**PLAIN, **changes, "epochs": epochs})
        return _median_epochs(make, section, target=target, seeds=seeds)

    without, helped = needed(plain), needed(residual)
    full, cheap = multiply_adds(plain(0)), multiply_adds(narrow(0))
    return (
        SpeedRow("bottleneck", helped, needed(narrow), full, cheap),
        SpeedRow("residual", without, helped, full, full),
        SpeedRow("learning rate and momentum", without, needed(plain, optimizer="momentum", lr=0.01), full, full),
        SpeedRow("optimiser", without, needed(plain, optimizer="adamw", lr=0.001), full, full),
        SpeedRow("pre-training", without, needed(pretrained), full, full),
    )


def pretrained(seed: int) -> nn.Module:
    """The plain network with blocks trained on the digits turned and mirrored in all seven ways; its head is new."""
    data, network = digits_halves(), deep_network(seed=seed)
    ways = [(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)][1:]
    inputs = torch.cat([_moved(data.inputs, *way) for way in ways])
    moved = DigitsHalves(inputs, data.labels.repeat(len(ways)), data.test_inputs, data.test_labels)
    train_digits(network, TrainSection(optimizer="adamw", epochs=6, batch_size=64), data=moved, seed=seed)
    network[-1] = deep_network(seed=seed)[-1]
    return network


def _moved(inputs: Float[Tensor, "samples 64"], quarters: int, mirrored: bool) -> Float[Tensor, "samples 64"]:
    turned = torch.rot90(inputs.view(-1, 8, 8), quarters, (1, 2))
    return (turned.flip(2) if mirrored else turned).reshape(-1, 64)


def _median_epochs(make: Make, section: TrainSection, *, target: float, seeds: tuple[int, ...]) -> int | None:
    needed = []
    for seed in seeds:
        course = train_digits(make(seed), section, seed=seed, target=target)
        needed.append(len(course.accuracies) if course.accuracy >= target else section.epochs + 1)
    middle = int(median(needed))
    return middle if middle <= section.epochs else None
