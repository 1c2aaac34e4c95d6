"""Seeds in __getitem__, in the loop and in the augmenting function are named; one seed at the start is not."""

import pytest
from data_programs import CLEAN, HEAD, LOOP, NET, PICTURES, program
from planted import diagnose_code, found, line_of

FAULT = "repeated-augmentation"
SETS = """
class Shifted(Dataset):
    def __init__(self, n, seed):
        self.x, self.y = pictures(n, 1)
        self.seed, self.rng = seed, np.random.RandomState(seed)
    def __len__(self):
        return len(self.x)
    def __getitem__(self, k):
        rng = {rng}
        return torch.tensor(np.roll(self.x[k], rng.randint(0, 3), -1)), self.y[k]
train = DataLoader(Shifted(200, 7), batch_size=32, shuffle=True)
"""
BY_LOADER = """
for epoch in range(3):
    for x, y in train:
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
"""


@pytest.mark.parametrize("rng", ["np.random.RandomState(0)", "np.random.RandomState(self.seed)"])
def test_a_generator_made_for_each_sample_is_named(rng: str) -> None:
    source = PICTURES + SETS.replace("{rng}", rng) + NET + BY_LOADER
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, f"rng = {rng}", head=HEAD)


@pytest.mark.parametrize("rng", ["self.rng", "np.random", "np.random.RandomState()", "np.random.RandomState(k)"])
def test_a_generator_that_goes_on_is_let_be(rng: str) -> None:
    assert found(diagnose_code(PICTURES + SETS.replace("{rng}", rng) + NET + BY_LOADER, head=HEAD), FAULT) is None


JITTER = "\ndef jitter(t):\n    {first}\n    return t + 0.1 * torch.randn(t.shape)\n"
WITH_JITTER = LOOP.replace("net(xtr[idx])", "net(jitter(xtr[idx]))")


def test_a_seed_in_the_augmenting_function_is_named() -> None:
    source = program(CLEAN + JITTER.replace("{first}", "torch.manual_seed(0)"), loop=WITH_JITTER, epochs=2)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "    torch.manual_seed(0)", head=HEAD)


def test_a_seed_in_each_epoch_is_named_and_one_that_counts_is_not() -> None:
    loop = WITH_JITTER.replace("    net.train()", "    torch.manual_seed({seed})\n    net.train()", 1)
    sick, well = (
        program(CLEAN + JITTER.replace("{first}", "pass"), loop=loop.replace("{seed}", s), epochs=4)
        for s in ("1", "epoch")
    )
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "torch.manual_seed(1)", head=HEAD)
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


def test_one_seed_before_each_of_several_trainings_is_let_be() -> None:
    source = """
    for rate in (1e-3, 3e-3):
        torch.manual_seed(0)
        net = nn.Linear(4, 2)
        opt = torch.optim.Adam(net.parameters(), lr=rate)
        for step in range(20):
            opt.zero_grad()
            F.mse_loss(net(torch.randn(16, 4)), torch.zeros(16, 2)).backward()
            opt.step()
    """
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
