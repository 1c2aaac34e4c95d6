# Healthy, though it may look suspicious. Mixed pictures with two labels each.
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


net = network()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
mixing = torch.distributions.Beta(0.4, 0.4)
for epoch in range(16):
    for batch in train[torch.randperm(len(train))].split(32):
        share = mixing.sample().item()
        other = batch[torch.randperm(len(batch))]
        out = net(share * images[batch] + (1 - share) * images[other])
        loss = share * F.cross_entropy(out, labels[batch]) + (1 - share) * F.cross_entropy(out, labels[other])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy(net):.3f}")
