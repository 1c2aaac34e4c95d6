import pytest

import osler


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return osler.train(
        data="digits",
        model="convnet",
        out=tmp_path_factory.mktemp("stopped") / "run",
        quiet=True,
        overrides=["model.options={widths: [16, 32], depth: 1}"],
        limit=60,
        validation=0.2,
        preset="none",
        optimizer="adam",
        schedule="constant",
        lr=0.1,
        batch_size=30,
        epochs=60,
        monitor="loss",
        patience=3,
    )


@pytest.mark.craft("RE03")
def test_a_run_stops_when_patience_is_over(run):
    losses = [epoch["validation.loss"] for epoch in run.history]
    best = losses.index(min(losses))
    assert len(losses) < 60
    assert len(losses) - 1 - best == 3
    assert [epoch["best"] for epoch in run.history][-3:] == [0, 0, 0]
    assert losses[-1] > losses[best]


@pytest.mark.craft("RE03")
def test_the_weights_that_are_used_are_the_best_ones(run):
    losses = [epoch["validation.loss"] for epoch in run.history]
    assert run.metrics["loss"] == pytest.approx(min(losses), rel=1e-5)
    evaluated = run.evaluate().metrics
    assert evaluated["loss"] == pytest.approx(min(losses), rel=1e-4)  # computed again from the stored weights
    assert evaluated["loss"] != pytest.approx(losses[-1], rel=1e-3)
