# Healthy, though it may look suspicious. Loaded weights, norm layers kept in evaluation mode, a small rate for the body.
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


def accuracy(model):
    model.eval()
    with torch.no_grad():
        right = (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    model.train()
    return right


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def fit(net, optimizer, chosen, epochs, frozen_norms):
    for epoch in range(epochs):
        net.train()
        if frozen_norms:
            for layer in net.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        for batch in chosen[torch.randperm(len(chosen))].split(32):
            loss = F.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


first = network()
fit(first, torch.optim.Adam(first.parameters(), lr=4e-3), train[:700], 10, False)
net = network()
net.load_state_dict(first.state_dict())
net[9] = nn.Linear(128, 10)
groups = [{"params": net[:9].parameters(), "lr": 1e-4}, {"params": net[9].parameters(), "lr": 5e-3}]
fit(net, torch.optim.Adam(groups), train, 14, True)
print("accuracy", accuracy(net))
