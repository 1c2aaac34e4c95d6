"""Remedies for vanishing gradients, each alone: a deep network of sigmoid units, and a recurrent one (row TD25).

The lists name the ReLU family, batch norm, residual connections, pretraining with fine-tuning, and LSTM. An LSTM belongs
into a recurrent network; along the depth of a stack its cell stands here too, each layer with its own weights, as in
Kalchbrenner, Danihelka and Graves 2016 ("Grid long short-term memory", section 3).
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import Loss, adam, fit, seeded, sgd
from osler.lab.remedy_table import Outcome, RemedyTable, at_end, at_start, tried
from osler.lab.small_sets import Split, digits
from osler.nn.greedy_pretraining import learn_autoencoder, pretrain_layers
from osler.nn.initialisation import initialise

DEPTH, WIDTH = 8, 64
SYMBOLS, STEPS, UNITS = 4, 60, 32


class Layer(nn.Module):
    """A linear layer and its activation; batch norm between them, and a shortcut around both, if wanted."""

    def __init__(self, activation: Callable[[], nn.Module], *, norm: bool = False, residual: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.BatchNorm1d(WIDTH) if norm else nn.Identity()
        self.activation = activation()
        self.residual = residual

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """As wide as it came."""
        y = self.activation(self.norm(self.linear(x)))
        return x + y if self.residual else y


class DeepLSTM(nn.Module):
    """LSTM cells in place of layers: state and memory go up through the depth, each cell with its own weights."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList(nn.LSTMCell(WIDTH, WIDTH) for _ in range(DEPTH))
        self.head = nn.Linear(WIDTH, 10)
        for cell in self.cells:
            remember(cell)

    def forward(self, x: Float[Tensor, "batch width"]) -> Float[Tensor, "batch classes"]:
        """The logits, read from the last state."""
        state, memory = x, x
        for cell in self.cells:
            state, memory = cell(state, (state, memory))
        return self.head(state)


def remember(cell: nn.Module) -> None:
    """Sets the forget gates' bias to 1, so that memory lasts at the start (Jozefowicz et al. 2015, section 5)."""
    with torch.no_grad():
        for name, bias in cell.named_parameters():
            if name.startswith("bias_ih"):
                quarter = len(bias) // 4
                bias[quarter : 2 * quarter] = 1.0


def deep(activation: Callable[[], nn.Module] = nn.Sigmoid, *, seed: int, **parts: bool) -> nn.Sequential:
    """Eight layers of 64 units and a head; started as Glorot and Bengio say, those of the ReLU family as He et al."""
    with seeded(seed):
        model = nn.Sequential(*(Layer(activation, **parts) for _ in range(DEPTH)), nn.Linear(WIDTH, 10))
        initialise(model, "xavier_uniform" if activation is nn.Sigmoid else "he_normal")
    return model


def pretrained(data: Split, *, seed: int) -> nn.Sequential:
    """The sick network, its layers pretrained one by one as denoising autoencoders on the pictures, without labels."""
    model = deep(seed=seed)
    layers = [m.linear for m in model if isinstance(m, Layer)]
    with seeded(seed):
        pretrain_layers(layers, (data.x + 1) / 2, partial(learn_autoencoder, epochs=10))
    return model


def _deep_lstm(data: Split, *, seed: int) -> nn.Module:
    with seeded(seed):
        return DeepLSTM()


DEEP: dict[str, tuple[str, Callable[..., nn.Module]]] = {
    "ReLU": ("ReLU units, He's start", lambda data, seed: deep(nn.ReLU, seed=seed)),
    "leaky ReLU": ("slope 0.01, He's start", lambda data, seed: deep(nn.LeakyReLU, seed=seed)),
    "PReLU": ("slope learnt, He's start", lambda data, seed: deep(nn.PReLU, seed=seed)),
    "ELU": ("alpha 1, He's start", lambda data, seed: deep(nn.ELU, seed=seed)),
    "batch norm": ("before each sigmoid", lambda data, seed: deep(seed=seed, norm=True)),
    "residual connections": ("around each layer", lambda data, seed: deep(seed=seed, residual=True)),
    "pretraining and fine-tuning": ("layer by layer, denoising autoencoders, 10 epochs each", pretrained),
    "LSTM": ("its cell in place of each layer, own weights", _deep_lstm),
}


def vanishing_table(
    names: Sequence[str] = tuple(DEEP), *, epochs: int = 20, seeds: Sequence[int] = (0, 1, 2)
) -> RemedyTable:
    """Each remedy alone on eight layers of sigmoid units, 600 digits, gradient descent with momentum."""

    def measure(make: Callable[..., nn.Module], seed: int) -> Outcome:
        data = digits(600, seed=seed)
        model = make(data, seed=seed)
        matrices = [p for p in model.parameters() if p.ndim == 2][:-1]  # the head's is the last
        last = [p for p in matrices if p.shape == matrices[0].shape][-1]
        start = at_start(model, matrices[0], last, data.x, data.y)
        fit(model, data.x, data.y, epochs=epochs, batch=20, optimizer=sgd(0.02, momentum=0.9), seed=seed)
        return at_end(model.eval(), data, start)

    sick = tried("none", "sigmoid units, Glorot's start", partial(measure, lambda data, seed: deep(seed=seed)), seeds)
    return RemedyTable(sick, tuple(tried(n, DEEP[n][0], partial(measure, DEEP[n][1]), seeds) for n in names))


class Reader(nn.Module):
    """A recurrent layer over a series, and an answer from its last state."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.head = nn.Linear(UNITS, SYMBOLS)

    def forward(self, series: Float[Tensor, "batch steps inputs"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        return self.head(self.recurrent(series)[0][:, -1])


def told_at_first(count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Series of noise in which the first step alone tells the class (after Bengio, Simard and Frasconi 1994, section 2)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(SYMBOLS, (count,), generator=generator)
    series = 0.2 * torch.randn(count, STEPS, SYMBOLS, generator=generator)
    series[:, 0] += functional.one_hot(labels, SYMBOLS)
    return series, labels


def through_time(model: Reader, series: Tensor, labels: Tensor, loss: Loss = functional.cross_entropy) -> float:
    """The gradient at the first step's input over that at the last step's (root mean squares)."""
    inputs = series.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(model(inputs), labels), [inputs])
    sizes = gradient.double().square().mean((0, 2)).sqrt()
    return float(sizes[0] / sizes[-1])


def recurrent_table(*, epochs: int = 30, seeds: Sequence[int] = (0, 1, 2)) -> RemedyTable:
    """A recurrent network that must remember its first step over sixty, with tanh units and as an LSTM."""

    def measure(kind: str, seed: int) -> Outcome:
        data = Split(*told_at_first(512, seed=seed), *told_at_first(512, seed=seed + 1000))
        with seeded(seed):
            layer = getattr(nn, kind)(SYMBOLS, UNITS, batch_first=True)
            model = Reader(layer)
        if kind == "LSTM":
            remember(layer)
        ratio = through_time(model, data.x, data.y)
        fit(model, data.x, data.y, epochs=epochs, batch=32, optimizer=adam(3e-3), seed=seed)
        return at_end(model, data, (ratio, float("nan")))

    sick = tried("none", "tanh units", partial(measure, "RNN"), seeds)
    return RemedyTable(sick, (tried("LSTM", "forget gates' bias 1", partial(measure, "LSTM"), seeds),))
