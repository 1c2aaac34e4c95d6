# Healthy, though it may look suspicious. Two networks, two optimizers, losses that hover.
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(1)


def real(n):
    angle = torch.rand(n) * 6.2832
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


maker = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
judge = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
make_step = torch.optim.Adam(maker.parameters(), lr=1e-3, betas=(0.5, 0.999))
judge_step = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.999))
ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
for step in range(600):
    fake = maker(torch.randn(64, 8))
    judge_loss = F.binary_cross_entropy_with_logits(judge(real(64)), ones)
    judge_loss = judge_loss + F.binary_cross_entropy_with_logits(judge(fake.detach()), zeros)
    judge_step.zero_grad()
    judge_loss.backward()
    judge_step.step()
    make_loss = F.binary_cross_entropy_with_logits(judge(fake), ones)
    make_step.zero_grad()
    make_loss.backward()
    make_step.step()
    if step % 100 == 0:
        print(f"step {step} d {judge_loss.item():.3f} g {make_loss.item():.3f}")
