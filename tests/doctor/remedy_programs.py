"""Programs as text with the little evidence that an edit of them reads, and what the edits make of them."""

import textwrap
from collections import Counter

from osler.doctor.case import Case
from osler.doctor.mending.prescription import edited, prescriptions
from osler.doctor.script_reading import ScriptReading
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import Answers, Call, Evidence, LossSample, LossSeen, ModelSeen, Moment, Site, Summary

FILE = "train.py"


def summary(shape=(32, 4), low=0.0, high=1.0, mean=0.5, std=0.3, bad=0, dtype="torch.float32") -> Summary:
    return Summary(tuple(shape), dtype, mean, std, low, high, 0.0, bad)


class Program:
    """A script; places are found by a piece of their text."""

    def __init__(self, source: str) -> None:
        self.source = textwrap.dedent(source).lstrip("\n")
        self.model = ModelSeen("net", "Sequential", None)
        self.evidence = Evidence(FILE, self.source, models=[self.model], steps=100)

    def line(self, text: str) -> int:
        return next(k for k, line in enumerate(self.source.splitlines(), 1) if text in line)

    def site(self, text: str) -> Site:
        return Site(FILE, self.line(text))

    def called(
        self, text: str, moment: Moment = "train", given: Summary | None = None, training: bool | None = None
    ) -> "Program":
        """The network was called there."""
        mode = moment == "train" if training is None else training
        call = Call(1, moment, mode, (), self.site(text), (given or summary(),), (), (), summary((32, 3)), 1.0)
        self.model.calls.append(call)
        self.model.call_counts[moment] += 1
        if moment == "train" and not mode:
            self.model.call_counts["train:wrong mode"] += 1
        return self

    def judged(self, text: str, *, training: bool = False) -> "Program":
        """An evaluation there had answers."""
        self.model.answers.append(
            Answers(50, 100, [0.5], judged=100, right=60, in_training_mode=100 * training, site=self.site(text))
        )
        return self

    def loss(
        self,
        text: str,
        function: str,
        targets: dict[float, int],
        *,
        integer: bool = True,
        width: int = 3,
        target: Summary | None = None,
    ) -> "Program":
        """A loss was taken there."""
        values = target or summary((32,), min(targets), max(targets))
        sample = LossSample(1, "train", 1.0, summary((32, width)), values)
        seen = LossSeen(
            function,
            self.site(text),
            counts=Counter(train=10),
            samples=[sample],
            targets=Counter(targets),
            target_is_integer=integer,
        )
        self.evidence.losses.append(seen)
        return self

    def mended(
        self, fault: str, text: str | None, *, evidence: str = "", layer: str | None = None, change: str = ""
    ) -> list[str]:
        """The script after each prescription for a finding at that place."""
        where = Where(FILE, self.line(text) if text is not None else None, layer)
        finding = Finding(fault, "critical", evidence, where, (Remedy("remedy", change),), 0.9, ())
        case = Case(self.evidence, ScriptReading(self.source, FILE))
        found = [edited(self.source, [p]) for p in prescriptions(finding, case)]
        assert all(edit is not None for edit in found)
        return [edit.source for edit in found if edit is not None]

    def with_lines(self, *changes: tuple[str, str]) -> str:
        """The script with some pieces exchanged."""
        text = self.source
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text
