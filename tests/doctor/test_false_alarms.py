"""Healthy programs that a check once accused: each stays silent on what it met there."""

import pytest
from planted import diagnose_code, found

PICTURES = """
def pictures(n, classes=4):
    y = torch.randint(classes, (n,))
    x = 0.3 + 0.1 * torch.randn(n, 1, 8, 8)
    for k in range(n):
        x[k, 0, 2 * (y[k] % 4):2 * (y[k] % 4) + 2] += 0.4
        x[k, 0, :, 0] += 0.4 * (y[k] // 4)
    return x.clamp(0, 1), y

def network(out=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, out))

x, y = pictures(300)
x_test, y_test = pictures(100)
"""
# An attack asks for the gradient of its input: the test pictures that it is given are not trained on.
ATTACK = (
    PICTURES
    + """
net = network()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)

def attack(a, b):
    a = a.clone().requires_grad_()
    slope, = torch.autograd.grad(F.cross_entropy(net(a), b), a)
    return (a + 0.02 * slope.sign()).detach()

for epoch in range(4):
    for i in torch.randperm(300).split(32):
        loss = F.cross_entropy(net(attack(x[i], y[i])), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    harder = attack(x_test, y_test)
    with torch.no_grad():
        plain = (net(x_test).argmax(1) == y_test).float().mean()
        robust = (net(harder).argmax(1) == y_test).float().mean()
"""
)
# Views with noise are trained on; the very pictures are looked at afterwards, for a probe on them.
VIEWS = (
    PICTURES
    + """
net = network(16)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(5):
    for i in torch.randperm(300).split(60):
        one, two = (F.normalize(net(x[i] + 0.02 * torch.randn_like(x[i])), dim=1) for _ in range(2))
        loss = F.cross_entropy(one @ two.T / 0.2, torch.arange(len(i)))
        opt.zero_grad()
        loss.backward()
        opt.step()
probe = nn.Linear(16, 4)
opt = torch.optim.Adam(probe.parameters(), lr=1e-2)
"""
)
PROBE_SAME = (
    VIEWS
    + """
for step in range(30):
    with torch.no_grad():
        seen = net(x)
    opt.zero_grad()
    F.cross_entropy(probe(seen), y).backward()
    opt.step()
"""
)
PROBE_BOTH = (
    VIEWS
    + """
def features(pictures):
    with torch.no_grad():
        return torch.cat([net(part) for part in pictures.split(50)])

seen, unseen = features(x), features(x_test)
for step in range(30):
    opt.zero_grad()
    F.cross_entropy(probe(seen), y).backward()
    opt.step()
right = (probe(unseen).argmax(1) == y_test).float().mean()
"""
)
# Some pictures are never drawn, so that the training set is known in part only; both sets are passed at one line.
DRAWN = (
    PICTURES
    + """
net = network()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
drawn = torch.randperm(300)[:200]
for step in range(120):
    i = drawn[torch.randint(200, (32,))]
    opt.zero_grad()
    F.cross_entropy(net(x[i]), y[i]).backward()
    opt.step()
with torch.no_grad():
    nearest = y[torch.cdist(net(x_test), net(x)).argmin(1)]
"""
)
CODEBOOK = """
encode, decode, book = nn.Linear(16, 4), nn.Linear(4, 16), nn.Embedding(32, 4)
centres = 2 * torch.randn(8, 16)
x = centres[torch.randint(8, (256,))] + 0.1 * torch.randn(256, 16)
nn.init.normal_(encode.weight, std=0.03)
opt = torch.optim.Adam([*encode.parameters(), *decode.parameters(), *book.parameters()], lr=1e-2)
for step in range(120):
    z = encode(x)
    q = book(torch.cdist(z, book.weight).argmin(1))
    codes = F.mse_loss(q, z.detach()) + F.mse_loss(z, q.detach())
    loss = F.mse_loss(decode(z + (q - z).detach()), x) + 0.25 * codes
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
MOMENTUM_CONTRAST = (
    PICTURES
    + """
import copy
net = network(8)
slow = copy.deepcopy(net).requires_grad_(False)
queue = F.normalize(torch.randn(64, 8), dim=1)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(4):
    for i in torch.randperm(300).split(50):
        q = F.normalize(net(x[i] + 0.05 * torch.randn_like(x[i])), dim=1)
        with torch.no_grad():
            for a, b in zip(slow.parameters(), net.parameters()):
                a.lerp_(b, 0.1)
            k = F.normalize(slow(x[i]), dim=1)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], 1) / 0.2
        loss = F.cross_entropy(logits, torch.zeros(len(i), dtype=torch.long))
        opt.zero_grad()
        loss.backward()
        opt.step()
        queue = torch.cat([k, queue])[:64]
"""
)
# The network gives features first; scores are made of them, beside a loss of their distance to centres.
CENTRES = (
    PICTURES
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.scores = network(24), nn.Linear(24, 4)
    def forward(self, x):
        features = self.body(x)
        return features, self.scores(features)

net, centres = Net(), nn.Parameter(torch.randn(4, 24))
opt = torch.optim.Adam([*net.parameters(), centres], lr=2e-3)
for epoch in range(12):
    for i in torch.randperm(300).split(30):
        features, scores = net(x[i])
        loss = F.cross_entropy(scores, y[i]) + 0.003 * ((features - centres[y[i]]) ** 2).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
)
# Scores are cosines with directions that are no part of the network; 60 updates.
ANGLES = """
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
directions = nn.Parameter(torch.randn(3, 8))
x = torch.randn(128, 8)
y = x[:, :3].argmax(1)
opt = torch.optim.Adam([*net.parameters(), directions], lr=5e-3)
for step in range(60):
    cosines = F.normalize(net(x), dim=1) @ F.normalize(directions, dim=1).T
    loss = F.cross_entropy(10 * (cosines - 0.2 * F.one_hot(y, 3)), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
SMOOTHED = (
    PICTURES
    + """
x, y = pictures(600)
net = network()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(6):
    for i in torch.randperm(600).split(100):
        loss = F.cross_entropy(net(x[i]), y[i], label_smoothing=0.4)
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
)
COUNTED = """
counts = torch.randint(8, (600,))
x = torch.zeros(600, 1, 24, 24)
for k in range(600):
    for cell in torch.randperm(36)[:counts[k]].tolist():
        x[k, 0, cell // 6 * 4:cell // 6 * 4 + 2, cell % 6 * 4:cell % 6 * 4 + 2] = 1
net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), lr=2e-2)
wanted = counts.float()[:, None]
for epoch in range(4):
    for i in torch.randperm(600).split(30):
        loss = F.mse_loss(net(x[i]), wanted[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
EMPTY_SCENES = (
    PICTURES
    + """
x[y == 2] = 0
net = network()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(4):
    for i in torch.randperm(300).split(30):
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
"""
)
TASKS = (
    PICTURES
    + """
x, y = pictures(600, 8)
net = network(8)
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for task in range({tasks}):
    mine = (y // {classes} == task).nonzero()[:, 0]
    for epoch in range({epochs}):
        for i in mine[torch.randperm(len(mine))].split(20):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
"""
)
ADAPTED = (
    PICTURES
    + """
class Adapted(nn.Module):
    def __init__(self, inputs, outputs, rank=4):
        super().__init__()
        self.base = nn.Linear(inputs, outputs).requires_grad_(False)
        self.down = nn.Parameter(0.1 * torch.randn(rank, inputs))
        self.up = nn.Parameter(torch.zeros(outputs, rank))
    def forward(self, x):
        return self.base(x) + x @ self.down.T @ self.up.T

net = nn.Sequential(nn.Flatten(), Adapted(64, 48), nn.ReLU(), nn.Linear(48, 4))
opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=5e-3)
for epoch in range(5):
    for i in torch.randperm(300).split(30):
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
"""
)
# A likelihood summed over the pixels of a batch: gradients of thousands that Adam does not mind; a code of two numbers.
SUMMED_LIKELIHOOD = """
x = torch.rand(256, 400).round()
x[:, :120] = x[:, :1]
into = nn.Sequential(nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 4))
back = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 400))
opt = torch.optim.Adam([*into.parameters(), *back.parameters()], lr=2e-3)
for epoch in range(10):
    for i in torch.randperm(256).split(64):
        mean, logvar = into(x[i]).chunk(2, 1)
        made = 4 * back(mean + torch.randn_like(mean) * (logvar / 2).exp())
        loss = F.binary_cross_entropy_with_logits(made, x[i], reduction="sum")
        loss = loss - 0.5 * (1 + logvar - mean**2 - logvar.exp()).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
RANGE_TEST = (
    PICTURES
    + """
net = network()
opt = torch.optim.SGD(net.parameters(), lr=1e-6)
for step in range(120):
    opt.param_groups[0]["lr"] = 1e-6 * 1.13**step
    i = torch.randint(300, (32,))
    opt.zero_grad()
    F.cross_entropy(net(x[i]), y[i]).backward()
    opt.step()
"""
)

HEALTHY = {
    "an attack on test pictures": (ATTACK, "train-test-leak"),
    "a probe on the pictures whose views were learnt": (PROBE_SAME, "train-test-leak"),
    "features of both sets from one function": (PROBE_BOTH, "train-test-leak"),
    "a training set drawn from in part": (DRAWN, "train-test-leak"),
    "a codebook that grows": (CODEBOOK, "diverging-loss"),
    "one positive against a queue": (MOMENTUM_CONTRAST, "wrong-output-size"),
    "centres of features": (CENTRES, "undertrained"),
    "scores outside of the network": (ANGLES, "undertrained"),
    "a smoothed loss that stays high": (SMOOTHED, "batch-too-large"),
    "a count of nothing": (COUNTED, "corrupt-sample"),
    "a class of empty pictures": (EMPTY_SCENES, "corrupt-sample"),
    "tasks of two classes": (TASKS.format(tasks=4, classes=2, epochs=1), "not-shuffled"),
    "tasks of one class, some epochs each": (TASKS.format(tasks=8, classes=1, epochs=3), "not-shuffled"),
    "low-rank adaptation of fresh weights": (ADAPTED, "frozen-parameters"),
    "a likelihood summed over pixels": (SUMMED_LIKELIHOOD, "exploding-gradient"),
    "a range test": (RANGE_TEST, "underfitting"),
}


@pytest.mark.parametrize(("program", "fault"), HEALTHY.values(), ids=[name.replace(" ", "-") for name in HEALTHY])
def test_a_healthy_program_is_not_accused_again(program: str, fault: str) -> None:
    diagnosis = diagnose_code(program)
    assert diagnosis.ending == "finished"
    assert found(diagnosis, fault) is None


STARVED_BATCHES = TASKS.format(tasks=8, classes=1, epochs=1)


def test_one_class_after_the_other_within_an_epoch_is_still_named() -> None:
    assert found(diagnose_code(STARVED_BATCHES), "not-shuffled") is not None


BLANKS_OF_ALL_CLASSES = EMPTY_SCENES.replace("x[y == 2] = 0", "x[torch.randperm(300)[:30]] = 0")


def test_blank_pictures_of_all_classes_are_still_named() -> None:
    assert found(diagnose_code(BLANKS_OF_ALL_CLASSES), "corrupt-sample") is not None


BORDERS_MEET = TASKS.format(tasks=1, classes=8, epochs=3).replace(
    "mine[torch.randperm(len(mine))].split(20)", "torch.cat([(y == k).nonzero()[:50, 0] for k in range(8)]).split(20)"
)


def test_sorted_samples_are_still_named_where_a_border_of_classes_is_one_of_batches() -> None:
    assert found(diagnose_code(BORDERS_MEET), "not-shuffled") is not None
