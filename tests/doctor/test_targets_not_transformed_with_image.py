"""A mirrored picture whose box or mask stays is named at the flip; targets that follow, or that no flip changes, are not."""

import pytest
from data_programs import HEAD
from planted import diagnose_code, found, line_of

FAULT = "targets-not-transformed-with-image"
BOXES = """
class Spots(Dataset):
    def __init__(self, n, seed, train):
        rng = np.random.default_rng(seed)
        self.img = rng.normal(0, 0.1, (n, 1, 12, 12)).astype("float32")
        self.out = np.zeros((n, 2), "float32")
        self.train = train
        for k in range(n):
            r, c = rng.integers(0, 10, 2)
            self.img[k, 0, r:r + 3, c:c + 3] += 1
            self.out[k] = {target}
    def __len__(self):
        return len(self.img)
    def __getitem__(self, k):
        img, out = torch.tensor(self.img[k]), torch.tensor(self.out[k])
        if self.train and torch.rand(1) < 0.5:
            img = torch.flip(img, [2])
            {follow}
        return img, out
train, test = DataLoader(Spots(256, 0, True), batch_size=32, shuffle=True), DataLoader(Spots(80, 1, False), batch_size=80)
net = nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(4):
    for a, b in train:
        opt.zero_grad()
        F.mse_loss(net(a), b).backward()
        opt.step()
    with torch.no_grad():
        error = sum((net(a) - b).abs().mean().item() for a, b in test)
"""
PLACE, FOLLOWED = "(r / 9, c / 9)", "out[1] = 1 - out[1]"


def test_a_place_that_is_not_mirrored_is_named_and_one_that_is_is_not() -> None:
    sick, well = (BOXES.replace("{target}", PLACE).replace("{follow}", f) for f in ("pass", FOLLOWED))
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "torch.flip", head=HEAD)
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


def test_what_no_flip_changes_is_let_be() -> None:
    source = BOXES.replace("{target}", "(self.img[k].mean(), self.img[k].max())").replace("{follow}", "pass")
    assert found(diagnose_code(source, head=HEAD), FAULT) is None


MASKS = """
img = torch.rand(96, 1, 8, 8)
mask = (img > 0.6).float()
net = nn.Conv2d(1, 1, 3, padding=1)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(3):
    for idx in torch.randperm(96).split(16):
        a, m = img[idx], mask[idx]
        if torch.rand(1) < 0.5:
            a = a.flip(-1)
            {follow}
        opt.zero_grad()
        F.binary_cross_entropy_with_logits(net(a), m).backward()
        opt.step()
"""


@pytest.mark.parametrize(("follow", "sick"), [("pass", True), ("m = m.flip(-1)", False)])
def test_masks_must_follow(follow: str, sick: bool) -> None:
    assert (found(diagnose_code(MASKS.replace("{follow}", follow), head=HEAD), FAULT) is not None) is sick
