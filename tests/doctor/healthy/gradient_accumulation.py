# Healthy, though it may look suspicious. Four backward passes for each step, on purpose.
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
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(12):
    optimizer.zero_grad()
    for number, batch in enumerate(train[torch.randperm(len(train))].split(8)):
        loss = F.cross_entropy(net(images[batch]), labels[batch]) / 4
        loss.backward()
        if number % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
    print(f"epoch {epoch} accuracy {accuracy(net):.3f}")
