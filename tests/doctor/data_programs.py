"""Parts of the programs with planted faults in their data: pictures of classes that can be told apart, and a loop."""

HEAD = """
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset
torch.manual_seed(0)
np.random.seed(0)
"""

# 4 classes of 8x8 pictures: a bright bar in one of four places, with noise
PICTURES = """
def pictures(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    x = rng.normal(0.3, 0.12, (n, 1, 8, 8)).astype("float32")
    for k in range(n):
        x[k, 0, 2 * y[k]:2 * y[k] + 2] += rng.uniform(0.3, 0.6)
    return x.clip(0, 1), y
"""

NET = """
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
"""

LOOP = """
for epoch in range({epochs}):
    net.train()
    for idx in torch.randperm(len(xtr)).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(xtr[idx]), ytr[idx])
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        accuracy = (net(xte).argmax(1) == yte).float().mean().item()
"""


def program(data: str, *, net: str = NET, loop: str = LOOP, epochs: int = 6) -> str:
    """Data, network and loop behind each other; the loop reads `xtr`, `ytr`, `xte`, `yte`."""
    return PICTURES + data + net + loop.replace("{epochs}", str(epochs))


CLEAN = """
x, y = pictures(320, 1)
xtr, ytr = torch.tensor(x), torch.tensor(y)
x, y = pictures(120, 2)
xte, yte = torch.tensor(x), torch.tensor(y)
"""
