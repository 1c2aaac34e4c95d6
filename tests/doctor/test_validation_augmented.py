"""A jitter that also meets the validation samples is named at its call; one for training alone, and fresh samples, are not."""

import pytest
from data_programs import CLEAN, HEAD, NET, PICTURES, program
from planted import diagnose_code, found, line_of

FAULT = "validation-augmented"
LOOP = """
def jitter(t):
    return (t + 0.1 * torch.randn_like(t)) * (0.8 + 0.4 * torch.rand(len(t), 1, 1, 1))

for epoch in range(4):
    for phase in ("train", "val"):
        x, y = (xtr, ytr) if phase == "train" else (xte, yte)
        for idx in torch.randperm(len(x)).split(40):
            batch = {call}
            with torch.set_grad_enabled(phase == "train"):
                loss = F.cross_entropy(net(batch), y[idx])
            if phase == "train":
                opt.zero_grad()
                loss.backward()
                opt.step()
"""
SETS = """
class Noisy(Dataset):
    def __init__(self, n, seed, augment):
        self.x, self.y = pictures(n, seed)
        self.augment = augment
    def __len__(self):
        return len(self.x)
    def __getitem__(self, k):
        x = torch.tensor(self.x[k])
        if self.augment:
            x = x + 0.1 * torch.randn(x.shape)
        return x, self.y[k]
train = DataLoader(Noisy(300, 1, True), batch_size=32, shuffle=True)
val = DataLoader(Noisy(100, 2, {augment}), batch_size=50)
"""
BY_LOADER = """
for epoch in range(3):
    for x, y in train:
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
    with torch.no_grad():
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in val)
"""


def test_one_jitter_for_both_phases_is_named_and_one_for_training_is_not() -> None:
    sick, well = (
        program(CLEAN, loop=LOOP.replace("{call}", c))
        for c in ("jitter(x[idx])", "jitter(x[idx]) if phase == 'train' else x[idx]")
    )
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "batch = jitter", head=HEAD)
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


def test_a_validation_set_with_augmentation_is_named_and_one_without_is_not() -> None:
    sick, well = (PICTURES + SETS.replace("{augment}", a) + NET + BY_LOADER for a in ("True", "False"))
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "val = DataLoader", head=HEAD)
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


FRESH = """
for epoch in range(4):
    for k in range(8):
        x, y = pictures(32, 100 * epoch + k)
        opt.zero_grad()
        F.cross_entropy(net(torch.tensor(x)), torch.tensor(y)).backward()
        opt.step()
    x, y = pictures(100, 10_000 + epoch)
    with torch.no_grad():
        right = (net(torch.tensor(x)).argmax(1) == torch.tensor(y)).sum().item()
"""


@pytest.mark.parametrize("loop", [FRESH])
def test_new_samples_for_each_evaluation_are_let_be(loop: str) -> None:
    assert found(diagnose_code(PICTURES + NET + loop, head=HEAD), FAULT) is None
