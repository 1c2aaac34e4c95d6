# Healthy, though it may look suspicious. In-batch contrast: every sample of the batch is in every loss.
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


encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32))
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)


def seen(x):
    return x + 0.15 * torch.randn_like(x)


for epoch in range(12):
    for batch in train[torch.randperm(len(train))].split(64):
        a, b = F.normalize(encoder(seen(images[batch])), dim=1), F.normalize(encoder(seen(images[batch])), dim=1)
        loss = F.cross_entropy(a @ b.T / 0.2, torch.arange(len(batch)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f}")
