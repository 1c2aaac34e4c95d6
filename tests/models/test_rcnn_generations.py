"""The benchmark that compares the generations of R-CNN: what it counts, and to whom it gives the time."""

import time
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import torch
from drawn_shapes import CLASSES, SMALL, drawn

from osler.models.registry import create_model, list_detectors

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "rcnn_generations.py"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    """The script, which finds what lies beside it as when it is run."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(BENCHMARK.parent))
    spec = spec_from_file_location("rcnn_generations", BENCHMARK)
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    patch.undo()


@pytest.mark.craft("DE17")
def test_the_stages_of_the_three_generations(benchmark: ModuleType) -> None:
    """R-CNN convolves every region and its last stage is trained apart; Fast one map; Faster proposes on it as well."""
    pictures = list(drawn(2)[0].split(1))
    spent, regions = {}, 0
    for name in ("rcnn_light", "fast_rcnn_light", "faster_rcnn_2015_light"):
        torch.manual_seed(0)
        model = create_model(name, num_classes=CLASSES, **SMALL).eval()
        spent[name] = benchmark.time_of_pictures(model, pictures[:1], pictures)
        parts = {part: spent[name][part] for part in benchmark.PARTS}
        assert all(seconds > 0 for part, seconds in parts.items() if (name, part) != ("rcnn_light", "heads"))
        assert spent[name]["all"] == pytest.approx(sum(parts.values()))
        if name == "rcnn_light":
            regions = sum(len(model.proposals(p)[0]) for p in pictures)
    assert spent["rcnn_light"]["passes"] == regions / 2
    assert spent["fast_rcnn_light"]["passes"] == spent["faster_rcnn_2015_light"]["passes"] == 1
    table = benchmark.GENERATIONS
    assert table["rcnn_light"].source == table["fast_rcnn_light"].source != table["faster_rcnn_2015_light"].source
    assert len({table[name].together for name in spent}) == 3
    assert set(table) <= set(list_detectors())


def test_each_call_has_its_own_time(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    class Work:
        def outer(self) -> None:
            now[0] += 1
            self.inner()
            now[0] += 2
            self.inner()

        def inner(self) -> None:
            now[0] += 10

    work, clock = Work(), benchmark.Clock()
    clock.watch(work, "outer", "rest")
    clock.watch(work, "inner", "heads")
    now[0] += 100
    work.outer()
    now[0] += 100
    work.inner()
    assert clock.seconds == {"rest": 3, "heads": 30}
