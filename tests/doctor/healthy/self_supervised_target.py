# Healthy, though it may look suspicious. A target network that follows, and a stop-gradient: BYOL.
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


import copy

online = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 32))
predictor = nn.Sequential(nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32))
target = copy.deepcopy(online).requires_grad_(False)
optimizer = torch.optim.Adam([*online.parameters(), *predictor.parameters()], lr=1e-3)
for epoch in range(10):
    for batch in train[torch.randperm(len(train))].split(64):
        a, b = (images[batch] + 0.2 * torch.randn_like(images[batch]) for _ in range(2))
        with torch.no_grad():
            wanted = F.normalize(target(b), dim=1)
        loss = 2 - 2 * (F.normalize(predictor(online(a)), dim=1) * wanted).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for kept, now in zip(target.parameters(), online.parameters()):
                kept.lerp_(now, 0.01)
    print(f"epoch {epoch} loss {loss.item():.4f}")
