# Healthy, though it may look suspicious. A sum over pixels and a penalty: a loss of dozens is right here.
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


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU())
        self.mean, self.spread = nn.Linear(128, 8), nn.Linear(128, 8)
        self.decode = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64), nn.Sigmoid())

    def forward(self, x):
        h = self.encode(x)
        mean, log_variance = self.mean(h), self.spread(h)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decode(z), mean, log_variance


net = Autoencoder()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(15):
    total = 0.0
    for batch in train[torch.randperm(len(train))].split(32):
        made, mean, log_variance = net(images[batch])
        rebuilt = F.binary_cross_entropy(made, images[batch].flatten(1), reduction="sum")
        penalty = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum()
        loss = (rebuilt + penalty) / len(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    print(f"epoch {epoch} loss {total / len(train):.2f}")
