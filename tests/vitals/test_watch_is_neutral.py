"""With the watch and without it, losses, weights and random numbers come out the same, bit for bit, and nothing is left behind."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from osler.vitals.watch import Watch

Outcome = list[Tensor]


def convolutional() -> Outcome:
    """Convolutions with batch norm, dropout, in-place activations; a loader that shuffles; validation in between."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Flatten(), nn.Linear(144, 3)
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    data = TensorDataset(torch.randn(48, 1, 8, 8), torch.randint(3, (48,)))
    losses = []
    for _ in range(2):
        net.train()
        for images, labels in DataLoader(data, 16, shuffle=True):
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(images), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.detach())
        schedule.step()
        net.eval()
        with torch.no_grad():
            losses.append((net(data.tensors[0]).argmax(1) == data.tensors[1]).float().mean())
    return [*losses, *net.state_dict().values()]


def adversarial() -> Outcome:
    """Two networks, two optimizers; one's backward fills the other's gradients."""
    maker, judge = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    first, second = torch.optim.Adam(maker.parameters(), 1e-2), torch.optim.Adam(judge.parameters(), 1e-2)
    losses = []
    for _ in range(6):
        real, noise = torch.randn(16, 2) + 2, torch.randn(16, 2)
        second.zero_grad()
        loss = functional.softplus(-judge(real)).mean() + functional.softplus(judge(maker(noise).detach())).mean()
        loss.backward()
        second.step()
        first.zero_grad()
        other = functional.softplus(-judge(maker(noise))).mean()
        other.backward()
        first.step()
        losses += [loss.detach(), other.detach()]
    return [*losses, *maker.state_dict().values(), *judge.state_dict().values()]


def second_order() -> Outcome:
    """L-BFGS: many evaluations in each step."""
    net, x = nn.Linear(3, 1), torch.randn(20, 3)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.mse_loss(net(x), x.sum(1, keepdim=True))
        loss.backward()
        return loss

    losses = [torch.as_tensor(optimizer.step(closure)) for _ in range(3)]
    return [*losses, *net.state_dict().values()]


def transformer() -> Outcome:
    """A transformer, whose layers take a shorter way in evaluation; weights tied, gradients accumulated, spectral norm."""
    embedding = nn.Embedding(11, 8)
    body = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False)
    mixed = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
    head = nn.Linear(8, 11, bias=False)
    head.weight = embedding.weight
    net = nn.ModuleList([embedding, body, mixed, head])

    def forward(tokens: Tensor) -> Tensor:
        return head(mixed(body(embedding(tokens))))

    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        for _ in range(2):
            tokens = torch.randint(11, (4, 6))
            loss = functional.cross_entropy(forward(tokens).transpose(1, 2), tokens) / 2
            loss.backward()
            losses.append(loss.detach())
        optimizer.step()
    net.eval()
    with torch.no_grad():
        losses.append(forward(torch.arange(6)[None]))
    return [*losses, *net.state_dict().values()]


def checkpointed() -> Outcome:
    """Layers that are computed again in the backward pass, in both of PyTorch's ways, under autocast."""
    block = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.2))
    head = nn.Linear(6, 2)
    optimizer = torch.optim.SGD([*block.parameters(), *head.parameters()], lr=0.1)
    losses = []
    for reentrant in (True, False, True, False):
        x = torch.randn(8, 6, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16):
            out = head(checkpoint(block, x, use_reentrant=reentrant))
        loss = out.float().pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return [*losses, *block.state_dict().values()]


@pytest.mark.parametrize("program", [convolutional, adversarial, second_order, transformer, checkpointed])
def test_a_program_comes_out_the_same(program: Callable[[], Outcome]) -> None:
    torch.manual_seed(3)
    plain, after = program(), torch.get_rng_state()
    torch.manual_seed(3)
    with Watch() as watch:
        watched = program()
    assert torch.equal(torch.get_rng_state(), after)
    assert len(plain) == len(watched)
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    assert not watch.state.troubles
    assert watch.evidence.steps > 0


def test_everything_is_put_back() -> None:
    def surroundings() -> dict[str, Any]:
        owners: list[Any] = [torch, functional, Tensor, nn.Module, torch.optim.Optimizer, DataLoader, torch.autograd]
        owners += [nn.utils, nn.TransformerEncoderLayer.__init__, torch.optim.lr_scheduler.LRScheduler]
        return {f"{owner}.{name}": value for owner in owners for name, value in vars(owner).items()}

    before = surroundings()
    defaults = nn.TransformerEncoderLayer.__init__.__defaults__
    with Watch():
        assert surroundings() != before
    assert surroundings() == before
    assert nn.TransformerEncoderLayer.__init__.__defaults__ == defaults


def test_copies_and_saved_networks_are_the_person_s_alone(tmp_path: Any) -> None:
    import copy

    with Watch():
        net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        functional.mse_loss(net(torch.ones(1, 2)), torch.zeros(1, 2)).backward()
        assert not net._forward_hooks
        assert not any(name.startswith("osler") for name in vars(net))
        copy.deepcopy(net)
        torch.save(net, tmp_path / "net.pt")
    torch.load(tmp_path / "net.pt", weights_only=False)


def test_a_compiled_network_is_watched_without_harm() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x, y = torch.randn(16, 4), torch.randint(2, (16,))

    def train(model: Any) -> Outcome:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return losses

    start = {k: v.clone() for k, v in net.state_dict().items()}
    plain = train(torch.compile(net, backend="eager"))
    net.load_state_dict(start)
    torch._dynamo.reset()
    with Watch() as watch:
        watched = train(torch.compile(net, backend="eager"))
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    assert watch.evidence.optimizers[0].samples[0].gradients  # weights and gradients are seen all the same
