# Healthy, though it may look suspicious. A teacher without gradients, a student with a soft loss.
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


teacher = network()
optimizer = torch.optim.Adam(teacher.parameters(), lr=4e-3)
for epoch in range(8):
    for batch in train[torch.randperm(len(train))].split(32):
        optimizer.zero_grad()
        F.cross_entropy(teacher(images[batch]), labels[batch]).backward()
        optimizer.step()
teacher.eval().requires_grad_(False)
student = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(student.parameters(), lr=4e-3)
for epoch in range(15):
    for batch in train[torch.randperm(len(train))].split(32):
        with torch.no_grad():
            soft = F.softmax(teacher(images[batch]) / 3, dim=1)
        out = student(images[batch])
        loss = 9 * F.kl_div(F.log_softmax(out / 3, dim=1), soft, reduction="batchmean") + F.cross_entropy(
            out, labels[batch]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy(student):.3f}")
