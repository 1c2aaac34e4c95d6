# Healthy, though it may look suspicious. A small table, a standardised target, a plateau scheduler that watches validation.
import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.manual_seed(0)
x, y = (torch.tensor(part, dtype=torch.float32) for part in load_diabetes(return_X_y=True))
order = torch.randperm(len(x))
train, held = order[:350], order[350:]
x = (x - x[train].mean(0)) / x[train].std(0)
y = (y - y[train].mean()) / y[train].std()
net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-3)
schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=8, factor=0.3)
for epoch in range(40):
    net.train()
    for batch in train[torch.randperm(len(train))].split(25):
        loss = nn.functional.mse_loss(net(x[batch]).squeeze(1), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        validation = nn.functional.mse_loss(net(x[held]).squeeze(1), y[held])
    schedule.step(validation)
    if epoch % 5 == 4:
        print(f"epoch {epoch} train {loss.item():.3f} val {validation.item():.3f}")
