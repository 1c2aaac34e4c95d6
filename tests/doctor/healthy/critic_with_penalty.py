# Healthy, though it may look suspicious. A Wasserstein critic: no sigmoid, negative losses, a gradient of a gradient.
import torch
from torch import nn

torch.manual_seed(0)
maker = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 2))
critic = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
make_step = torch.optim.Adam(maker.parameters(), lr=5e-4, betas=(0.0, 0.9))
critic_step = torch.optim.Adam(critic.parameters(), lr=5e-4, betas=(0.0, 0.9))
for step in range(250):
    for _ in range(3):
        real = torch.randn(48, 2) * 0.3 + torch.tensor([1.5, -1.0])
        fake = maker(torch.randn(48, 4)).detach()
        share = torch.rand(48, 1)
        between = (share * real + (1 - share) * fake).requires_grad_(True)
        slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
        loss = critic(fake).mean() - critic(real).mean() + 10 * (slope.norm(dim=1) - 1).pow(2).mean()
        critic_step.zero_grad()
        loss.backward()
        critic_step.step()
    make_loss = -critic(maker(torch.randn(48, 4))).mean()
    make_step.zero_grad()
    make_loss.backward()
    make_step.step()
    if step % 50 == 0:
        print(f"step {step} critic {loss.item():.3f} maker {make_loss.item():.3f}")
