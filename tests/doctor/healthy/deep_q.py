# Healthy, though it may look suspicious. Q-learning: a target network copied now and then, values that drift.
import copy
import random

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
random.seed(0)
net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 2))
target = copy.deepcopy(net)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
memory, place = [], 0
for step in range(1200):
    state = F.one_hot(torch.tensor(place), 6).float()
    if random.random() < max(0.1, 1 - step / 600):
        action = random.randrange(2)
    else:
        with torch.no_grad():
            action = net(state[None]).argmax(1).item()
    after = max(0, min(5, place + (1 if action else -1)))
    reward, done = float(after == 5), after == 5
    memory.append((place, action, reward, after, done))
    place = 0 if done else after
    if len(memory) < 64:
        continue
    batch = random.sample(memory, 32)
    s, a, r, n, d = (torch.tensor(part) for part in zip(*batch))
    with torch.no_grad():
        wanted = r + 0.9 * target(F.one_hot(n, 6).float()).max(1).values * (~d).float()
    value = net(F.one_hot(s, 6).float()).gather(1, a[:, None]).squeeze(1)
    loss = F.smooth_l1_loss(value, wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        target.load_state_dict(net.state_dict())
        print(f"step {step} loss {loss.item():.4f} value {value.mean().item():.3f}")
