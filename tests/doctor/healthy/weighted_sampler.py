# Healthy, though it may look suspicious. Rare classes, drawn as often as the others by a sampler.
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


from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

rare = (labels == 8).long()
weights = torch.where(rare[train] == 1, (rare[train] == 0).sum() / (rare[train] == 1).sum(), 1.0)
loader = DataLoader(TensorDataset(images[train], rare[train]), 32, sampler=WeightedRandomSampler(weights, len(train)))
net = nn.Sequential(
    nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten(), nn.Linear(432, 32), nn.ReLU(), nn.Linear(32, 2)
)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(8):
    net.train()
    for x, y in loader:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        said = net(images[test]).argmax(1)
    hit = ((said == 1) & (rare[test] == 1)).sum().item()
    print(f"epoch {epoch} recall {hit / rare[test].sum().item():.3f} precision {hit / max(1, said.sum().item()):.3f}")
