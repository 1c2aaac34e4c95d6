# Healthy, though it may look suspicious. Dropout makes the training loss higher than the validation loss.
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


from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(images[train], labels[train]), 32, shuffle=True)
held = DataLoader(TensorDataset(images[test], labels[test]), 128)
net = nn.Sequential(
    nn.Flatten(),
    nn.Linear(64, 128),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(128, 128),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(128, 10),
)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(16):
    net.train()
    total = 0.0
    for x, y in loader:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    net.eval()
    with torch.no_grad():
        losses = [F.cross_entropy(net(x), y, reduction="sum").item() for x, y in held]
    print(f"epoch {epoch} train loss {total / len(train):.3f} val loss {sum(losses) / len(test):.3f}")
