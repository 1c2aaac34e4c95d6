"""Losses that do not fit their targets are told; a critic's, a value network's and an autoencoder's are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
from sklearn.datasets import load_digits
digits = load_digits()
x = torch.tensor(digits.data[:300] / 16, dtype=torch.float32)
y = torch.tensor(digits.target[:300])
several = (torch.rand(300, 5) < 0.5).float()
net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, {units}))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
criterion = {loss}
for step in range(12):
    opt.zero_grad()
    loss = criterion({given})
    loss.backward()
    opt.step()
"""


def program(units: int, loss: str, given: str) -> str:
    return PROGRAM.format(units=units, loss=loss, given=given)


@pytest.mark.craft("TD14")
@pytest.mark.parametrize(
    ("units", "loss", "given", "words"),
    [
        (1, "nn.MSELoss()", "net(x).squeeze(1), y.float()", "whole numbers 0 to 9"),
        (1, "nn.CrossEntropyLoss()", "net(x), (y > 4).float().unsqueeze(1)", "over one column"),
        (5, "nn.CrossEntropyLoss()", "net(x), several", "ones for a sample"),
        (5, "nn.BCELoss()", "net(x).softmax(1), several", "add up to 1"),
        (1, "nn.BCEWithLogitsLoss()", "net(x).squeeze(1), y.float()", "class numbers 0 to 9"),
    ],
)
def test_losses_for_another_task(units: int, loss: str, given: str, words: str) -> None:
    sick = program(units, loss, given)
    finding = found(diagnose_code(sick), "wrong-loss")
    assert finding is not None
    assert finding.severity == "critical"
    assert words in finding.evidence
    assert finding.where.line == line_of(sick, "criterion =")


def test_a_loss_with_its_sign_turned() -> None:
    sick = program(10, "lambda a, b: -F.cross_entropy(a, b)", "net(x), y")
    finding = found(diagnose_code(sick), "wrong-loss")
    assert finding is not None
    assert "mistakes are rewarded" in finding.evidence


@pytest.mark.parametrize(
    ("units", "loss", "given"),
    [
        (10, "nn.CrossEntropyLoss(label_smoothing=0.1)", "net(x), y"),
        (
            10,
            "nn.CrossEntropyLoss()",
            "net(x), 0.7 * F.one_hot(y, 10).float() + 0.3 * F.one_hot(y.flip(0), 10).float()",
        ),
        (5, "nn.BCEWithLogitsLoss()", "net(x), several"),
        (10, "nn.MSELoss()", "net(x), F.one_hot(y, 10).float()"),  # slower, but it learns
        (64, "nn.BCEWithLogitsLoss()", "net(x), x"),  # pixels as shares
        (1, "nn.SmoothL1Loss()", "net(x), x.sum(1, keepdim=True)"),
        (1, "nn.MSELoss()", "net(x).squeeze(1), (x > 0.9).sum(1).float()"),  # counts
    ],
)
def test_fitting_losses_are_let_be(units: int, loss: str, given: str) -> None:
    assert found(diagnose_code(program(units, loss, given).replace("range(12)", "range(60)")), "wrong-loss") is None


# Targets that are cut out of masks and scaled: shares of pixels, which rounding puts a little over 1.
SOFT = """
    masks = (torch.rand(200, 1, 6, 6) < 0.6).float()
    x = masks.flatten(1) + 0.1 * torch.randn(200, 36)
    wanted = F.interpolate(masks, size=(8, 8), mode="bilinear").flatten(1) * {scale}
    net = nn.Sequential(nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 64))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(12):
        opt.zero_grad()
        F.binary_cross_entropy_with_logits(net(x), wanted).backward()
        opt.step()
"""


@pytest.mark.parametrize(("scale", "told"), [("(1 + 1.2e-7)", False), ("1.004", False), ("3", True)])
def test_targets_a_rounding_over_1_are_let_be_and_others_told(scale: str, told: bool) -> None:
    finding = found(diagnose_code(SOFT.format(scale=scale)), "wrong-loss")
    assert (finding is not None) == told
    if finding is not None:
        assert "real numbers from 0 to 3" in finding.evidence
