"""Under Lightning's Trainer the doctor finds what it finds in a plain loop, and stays silent where that does."""

import warnings

import pytest
from planted import diagnose_code, found

PROGRAM = """
import logging, warnings
warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4){extra})

    def forward(self, x):
        return self.body(x)

    def training_step(self, batch, index):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def validation_step(self, batch, index):
        x, y = batch
        self.log("accuracy", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)

x = torch.randn(512, 8)
y = x[:, :4].argmax(1)
train, held = TensorDataset(x[:400], y[:400]), TensorDataset(x[400:], y[400:])
trainer = pl.Trainer(max_epochs=6, accelerator="cpu", logger=False, enable_checkpointing=False,
                     enable_progress_bar=False, enable_model_summary=False)
trainer.fit(Net(), DataLoader(train, 20, shuffle=True), DataLoader(held, 56))
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("extra", "fault"), [(", nn.Softmax(dim=1)", "softmax-before-cross-entropy"), ("", None)])
def test_findings_are_those_of_a_plain_loop(extra: str, fault: str | None) -> None:
    pytest.importorskip("pytorch_lightning")
    with warnings.catch_warnings():
        diagnosis = diagnose_code(PROGRAM.format(extra=extra))
    assert diagnosis.ending == "finished"
    if fault is None:
        assert not [(f.fault, f.evidence) for f in diagnosis.findings if f.counts]
    else:
        assert diagnosis.findings[0].fault == fault
        finding = found(diagnosis, fault)
        assert finding is not None
        assert finding.where.layer == "body.3"
