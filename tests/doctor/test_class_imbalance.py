"""A rare class that is left out is named; weights, a sampler, or a rare class that is recognised are not."""

import pytest
from data_programs import HEAD
from planted import diagnose_code, found, line_of

FAULT = "class-imbalance"
PROGRAM = """
def draw(n, rare, seed):
    g = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) < rare).long()
    return torch.randn(n, 6, generator=g) + {apart} * y[:, None], y
train, test = TensorDataset(*draw(600, 20, 1)), TensorDataset(*draw(200, 100, 2))
loader = DataLoader(train, batch_size=32, {order})
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss({weight})
for epoch in range(4):
    for x, y in loader:
        opt.zero_grad()
        criterion(net(x), y).backward()
        opt.step()
    with torch.no_grad():
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in DataLoader(test, batch_size=100))
"""
SAMPLER = (
    "sampler=torch.utils.data.WeightedRandomSampler(torch.tensor([1 / 580, 1 / 20]).double()[train.tensors[1]], 600)"
)


def test_a_rare_class_that_is_left_out_is_named_at_the_loader() -> None:
    source = PROGRAM.format(apart=0.7, order="shuffle=True", weight="")
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "loader = DataLoader", head=HEAD)
    assert "29 times" in finding.evidence


@pytest.mark.parametrize(
    ("apart", "order", "weight"),
    [
        (0.7, "shuffle=True", "weight=torch.tensor([1.0, 29.0])"),
        (0.7, SAMPLER, ""),
        (6.0, "shuffle=True", ""),  # so far apart that the rare class is found all the same
    ],
)
def test_balanced_or_recognised_classes_are_let_be(apart: float, order: str, weight: str) -> None:
    assert found(diagnose_code(PROGRAM.format(apart=apart, order=order, weight=weight), head=HEAD), FAULT) is None


# Regions of pictures are judged: of each its object, and others that are background; or what the object's label says of it all.
SCENES = """
class Scenes(torch.utils.data.Dataset):
    def __len__(self):
        return 64
    def __getitem__(self, k):
        g = torch.Generator().manual_seed(k)
        x, y = torch.randint(0, 40, (2,), generator=g).tolist()
        picture, label = 0.1 * torch.randn(1, 64, 64, generator=g), 1 + int(k % {rare} == 0)
        picture[0, y:y + 20, x:x + 20] += 0.05 * label
        return picture, {{"boxes": torch.tensor([[x, y, x + 20.0, y + 20.0]]), "labels": torch.tensor([label])}}
def together(batch):
    pictures, targets = zip(*batch)
    return torch.stack(pictures), list(targets)
def regions(pictures, targets):
    crops, labels = [], []
    for picture, target in zip(pictures, targets):
        x, y = target["boxes"][0, :2].int().tolist()
        spots = [(x + 5, y + 5), *torch.randint(0, 54, (11, 2)).tolist()]
        crops += [picture[:, v:v + 10, u:u + 10] for u, v in spots]
        labels += [int(target["labels"])] + [0] * 11
    return torch.stack(crops), torch.tensor(labels)
def wholes(pictures, targets):
    return pictures[:, :, ::7, ::7], torch.cat([target["labels"] for target in targets]) - 1
loader = DataLoader(Scenes(), batch_size=4, shuffle=True, collate_fn=together)
net = nn.Sequential(nn.Flatten(), nn.Linear(100, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(3):
    for pictures, targets in loader:
        given, labels = {given}(pictures, targets)
        opt.zero_grad()
        F.cross_entropy(net(given), labels).backward()
        opt.step()
"""


@pytest.mark.parametrize("fault", [FAULT, "constant-prediction"])
def test_background_among_the_regions_of_a_detector_is_let_be(fault: str) -> None:
    assert found(diagnose_code(SCENES.format(rare=2, given="regions"), head=HEAD), fault) is None


def test_rare_pictures_are_still_named_where_their_boxes_are_known() -> None:
    assert found(diagnose_code(SCENES.format(rare=16, given="wholes"), head=HEAD), FAULT) is not None
