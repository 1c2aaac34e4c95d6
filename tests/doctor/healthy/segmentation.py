# Healthy, though it may look suspicious. A label for each pixel, most of them background.
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rows, columns = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")


def pictures(n):
    x, y = torch.randint(6, 18, (2, n, 1, 1))
    size = torch.randint(3, 6, (n, 1, 1))
    mask = ((rows - x) ** 2 + (columns - y) ** 2 < size**2).long()
    return TensorDataset((mask + 0.3 * torch.randn(n, 24, 24))[:, None].float(), mask)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.deep = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU()
        )
        self.up = nn.ConvTranspose2d(24, 12, 2, 2)
        self.head = nn.Conv2d(24, 2, 1)

    def forward(self, x):
        fine = self.down(x)
        return self.head(torch.cat([fine, self.up(self.deep(fine))], 1))


train, held = DataLoader(pictures(240), 16, shuffle=True), DataLoader(pictures(60), 30)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(6):
    net.train()
    for x, y in train:
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    both = either = 0
    with torch.no_grad():
        for x, y in held:
            said = net(x).argmax(1)
            both += ((said == 1) & (y == 1)).sum().item()
            either += ((said == 1) | (y == 1)).sum().item()
    print(f"epoch {epoch} loss {loss.item():.4f} IoU {both / max(either, 1):.3f}")
