"""Boxes without width or height are told; tables filled up with zeros, and pictures without objects, are not."""

from detection_programs import HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "box-without-area"

PADDED = """
class Padded(Dataset):
    def __getitem__(self, k):
        picture, target = train.dataset[k]
        boxes, labels = torch.zeros(3, 4), torch.full((3,), -1)
        boxes[:len(target["boxes"])], labels[:len(target["boxes"])] = target["boxes"], target["labels"]
        return picture, {"boxes": boxes, "labels": labels}
    def __len__(self):
        return 48
filled = DataLoader(Padded(), batch_size=8)
net = nn.Conv2d(1, 2, 8, stride=8)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for pictures, target in filled:
    loss = (net(pictures).mean((2, 3)) - target["boxes"].mean(1)[:, :2] / 64).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_boxes_whose_sides_coincide_are_told() -> None:
    source = program("if k % 4 == 1: boxes[:, 2] = boxes[:, 0]")
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, '"boxes": boxes', head=HEAD)
    assert "28 of 92 boxes" in finding.evidence


def test_rows_that_fill_up_a_batch_are_no_boxes() -> None:
    diagnosis = diagnose_code(program(detector="", loop=PADDED), head=HEAD)
    assert "box" not in " ".join(f.fault for f in diagnosis.findings)
    assert FAULT not in [skipped.fault for skipped in diagnosis.skipped]  # it did look
