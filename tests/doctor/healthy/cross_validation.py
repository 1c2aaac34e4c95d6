# Healthy, though it may look suspicious. Five networks, one after the other, each with its own optimizer.
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


folds = torch.randperm(len(images)).chunk(5)
scores = []
for held in range(5):
    rest = torch.cat([fold for number, fold in enumerate(folds) if number != held])
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(6):
        for batch in rest[torch.randperm(len(rest))].split(32):
            optimizer.zero_grad()
            F.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        scores.append((net(images[folds[held]]).argmax(1) == labels[folds[held]]).float().mean().item())
print("accuracy", sum(scores) / 5)
