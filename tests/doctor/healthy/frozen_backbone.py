# Healthy, though it may look suspicious. A backbone with loaded weights is frozen, and only the head learns.
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


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def accuracy(model):
    model.eval()
    with torch.no_grad():
        right = (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    model.train()
    return right


import os
import tempfile

first = network()
optimizer = torch.optim.Adam(first.parameters(), lr=3e-3)
small = labels < 5
for epoch in range(6):
    for batch in train[small[train]].split(32):
        optimizer.zero_grad()
        F.cross_entropy(first(images[batch]), labels[batch]).backward()
        optimizer.step()
path = os.path.join(tempfile.mkdtemp(), "backbone.pt")
torch.save(first.state_dict(), path)

net = network()
net.load_state_dict(torch.load(path))
for parameter in net.parameters():
    parameter.requires_grad = False
net[7] = nn.Linear(128, 10)
optimizer = torch.optim.Adam(net[7].parameters(), lr=1e-2)
for epoch in range(20):
    for batch in train[torch.randperm(len(train))].split(32):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy(net):.3f}")
