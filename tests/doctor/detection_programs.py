"""Parts of detection programs with planted faults: bright squares in pictures, their boxes, and small detectors."""

HEAD = """
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
torch.manual_seed(0)
"""

# pictures of 64 x 64 with one to three bright rectangles of two kinds; some have none; some touch the edge
SCENES = """
class Scenes(Dataset):
    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        self.items = []
        for k in range(count):
            picture, boxes, labels = 0.1 * torch.randn(1, 64, 64, generator=g), [], []
            for column in torch.randperm(3, generator=g)[: int(torch.randint(0 if k % 8 == 0 else 1, 4, (), generator=g))].tolist():
                label = int(torch.randint(0, 2, (), generator=g))
                w, h = (int(v) for v in torch.randint({low}, {high}, (2,), generator=g))
                x, y = 21 * column + int(torch.randint(0, 22 - w, (), generator=g)), int(torch.randint(0, 65 - h, (), generator=g))
                picture[0, y:y + h, x:x + w] += 1.0 + label
                boxes.append([float(x), float(y), float(x + w), float(y + h)])
                labels.append(label)
            boxes, labels = torch.tensor(boxes).reshape(-1, 4), torch.tensor(labels, dtype=torch.long)
            masks = torch.zeros(len(boxes), 64, 64, dtype=torch.uint8)
            for mask, (x1, y1, x2, y2) in zip(masks, boxes.long().tolist()):
                mask[y1:y2, x1:x2] = 1
{change}
            self.items.append((picture, {{"boxes": boxes, "labels": labels, "masks": masks, "image_id": torch.tensor(k)}}))
    def __len__(self):
        return len(self.items)
    def __getitem__(self, k):
        return self.items[k]

def together(batch):
    pictures, targets = zip(*batch)
    return torch.stack(pictures), list(targets)

train = DataLoader(Scenes(48, 1), batch_size=8, shuffle=True, collate_fn=together)
held_out = DataLoader(Scenes(24, 2), batch_size=8, collate_fn=together)
"""

# One cell of 8 pixels for each middle: what it holds, and how far its sides are from there, in the manner of FCOS.
DETECTOR = """
class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        layers, width = [], 1
        for out in (16, 32, 32):
            layers += [nn.Conv2d(width, out, 3, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        self.body = nn.Sequential(*layers)
        self.what, self.place = nn.Conv2d(32, 3, 1), nn.Conv2d(32, 4, 1)

    def forward(self, pictures, targets=None):
        maps = self.body(pictures)
        scores, sides = self.what(maps), self.place(maps)
        if targets is None:
            return scores, sides
        wanted = torch.zeros(len(pictures), 8, 8, dtype=torch.long)
        lengths = torch.zeros(len(pictures), 4, 8, 8)
        for k, target in enumerate(targets):
            for box, label in zip(target["boxes"], target["labels"]):
                column, row = (((box[0] + box[2]) / 2 / 8).long().clamp(0, 7), ((box[1] + box[3]) / 2 / 8).long().clamp(0, 7))
                wanted[k, row, column] = label + 1
                middle = torch.stack([column, row]) * 8 + 4
                lengths[k, :, row, column] = torch.cat([middle - box[:2], box[2:] - middle]) / 8
        here = (wanted > 0)[:, None].expand(-1, 4, -1, -1)
        return {"what": F.cross_entropy(scores, wanted), "place": F.smooth_l1_loss(sides[here], lengths[here])}

net = Detector()
"""

LOOP = """
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(4):
    net.train()
    for pictures, targets in train:
        losses = net(pictures, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for pictures, targets in held_out:
            found = net(pictures)[0].argmax(1)
"""


def program(change: str = "", low: int = 8, high: int = 20, detector: str = DETECTOR, loop: str = LOOP) -> str:
    """A detection program; `change` are lines that change `boxes`, `labels` or `masks` of picture `k`."""
    lines = "\n".join(f"            {line}" for line in change.splitlines())
    return SCENES.format(change=lines, low=low, high=high) + detector + loop


# The same scenes as YOLO's table: picture, class, middle x, middle y, width, height, in shares; the loss reads them so.
ROWS = """
def table(batch):
    rows = []
    for k, (_, target) in enumerate(batch):
        for (x1, y1, x2, y2), label in zip(target["boxes"].tolist(), target["labels"].tolist()):
            row = [(x1 + x2) / 128, (y1 + y2) / 128, (x2 - x1) / 64, (y2 - y1) / 64]
            rows += [[float(k), float(label), *row]] * {times}
    return torch.stack([picture for picture, _ in batch]), torch.tensor(rows).reshape(-1, 6)
train = DataLoader(train.dataset, batch_size=8, shuffle=True, collate_fn=table)
net = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 7, 3, 2, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(4):
    for pictures, rows in train:
        said = net(pictures)
        wanted = torch.zeros(len(pictures), 8, 8, dtype=torch.long)
        k, column, row = rows[:, 0].long(), (rows[:, 2] * 8).long().clamp(0, 7), (rows[:, 3] * 8).long().clamp(0, 7)
        wanted[k, row, column] = rows[:, 1].long() + 1
        loss = F.cross_entropy(said[:, :3], wanted) + F.smooth_l1_loss(said[k, 3:, row, column], rows[:, 2:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

# Anchors at every cell, positive from an overlap on: RetinaNet in small, with its box loss on the positives.
ANCHORS = """
class Anchored(nn.Module):
    def __init__(self, sides, positive):
        super().__init__()
        self.anchors, self.positive = torch.tensor(sides).float(), positive
        layers, width = [], 1
        for out in (16, 32, 32):
            layers += [nn.Conv2d(width, out, 3, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        self.body, self.head = nn.Sequential(*layers), nn.Conv2d(32, 7 * len(sides), 1)

    def forward(self, pictures, targets=None):
        said = self.head(self.body(pictures)).permute(0, 2, 3, 1).reshape(len(pictures), -1, 7)
        if targets is None:
            return said
        y, x = torch.meshgrid(torch.arange(8) * 8 + 4.0, torch.arange(8) * 8 + 4.0, indexing="ij")
        middles = torch.stack([x, y], -1).reshape(-1, 1, 2)
        anchors = torch.cat([middles - self.anchors / 2, middles + self.anchors / 2], -1).reshape(-1, 4)
        wanted, moves, here = torch.zeros(said.shape[:2], dtype=torch.long), [], []
        for k, target in enumerate(targets):
            boxes = target["boxes"]
            if not len(boxes):
                continue
            low, high = torch.maximum(boxes[:, None, :2], anchors[:, :2]), torch.minimum(boxes[:, None, 2:], anchors[:, 2:])
            common = (high - low).clamp(min=0).prod(-1)
            area = lambda b: (b[:, 2:] - b[:, :2]).prod(-1)
            best, which = (common / (area(boxes)[:, None] + area(anchors) - common)).max(0)
            positive = best >= self.positive
            wanted[k, positive] = target["labels"][which[positive]] + 1
            moves.append((boxes[which[positive]] - anchors[positive]) / 8)
            here.append(said[k, positive, 3:])
        box = F.smooth_l1_loss(torch.cat(here), torch.cat(moves), reduction="sum") / len(pictures)
        return {{"what": F.cross_entropy(said[..., :3].flatten(0, 1), wanted.flatten()), "box": box}}

net = Anchored({sides}, {positive})
"""


def anchored(sides: list[tuple[int, int]], positive: float = 0.5) -> str:
    """A program with anchors of those widths and heights in pixels."""
    detector = ANCHORS.format(sides=sides, positive=positive)
    return program(detector=detector, loop=LOOP.replace("net(pictures)[0].argmax(1)", "net(pictures)"))


def with_rows(change: str = "", times: int = 1) -> str:
    """A program whose loader gives YOLO's rows, each so many times."""
    return program(change, detector="", loop=ROWS.format(times=times))
