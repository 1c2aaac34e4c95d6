# Healthy, though it may look suspicious. One body, a class and a number to predict, two losses added.
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)
order = torch.randperm(len(images))
train, test = order[:1400], order[1400:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU())
        self.kind, self.ink = nn.Linear(64, 10), nn.Linear(64, 1)

    def forward(self, x):
        h = self.body(x)
        return self.kind(h), self.ink(h).squeeze(1)


ink = images.mean((1, 2, 3))
ink = (ink - ink[train].mean()) / ink[train].std()
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(12):
    net.train()
    for batch in train[torch.randperm(len(train))].split(32):
        kind, amount = net(images[batch])
        loss = F.cross_entropy(kind, labels[batch]) + 0.5 * F.mse_loss(amount, ink[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        kind, amount = net(images[test])
    right, error = (kind.argmax(1) == labels[test]).float().mean(), (amount - ink[test]).abs().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {right:.3f} error {error:.3f}")
