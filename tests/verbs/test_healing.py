"""`osler train --heal` and `osler doctor RUN --prove`: a sick recipe is mended in short trials, and says so."""

import hashlib
from contextlib import closing
from pathlib import Path

import pytest

import osler
from osler.doctor.fault import all_checks
from osler.doctor.recipe_remedies import REMEDIES, changes
from osler.reports.content import ReportContent, Result, Subject
from osler.reports.sections.healing import healing as healing_section
from osler.structures.errors import RecipeError
from osler.structures.finding import Diagnosis, Finding
from osler.structures.healing import TriedChange
from osler.training.recipe import Origin
from osler.training.recipe_file import KEYS, SECTIONS, read_recipe
from osler.verbs import recipe_trials
from osler.verbs.healing import heal
from osler.verbs.preparing import Wishes
from osler.verbs.recipe_trials import RecipeTrial, mend, on_record
from osler.verbs.run_proving import prove_run, prove_words
from tiny_runs import no_report

UNSCALED = "model.standardise={mean: [0.0], std: [0.00392]}"
MLP = ["data=digits", "model=mlp", "data.limit=800", "train.epochs=3", "train.workers=0", "train.precision=float32"]
SICK = [*MLP, UNSCALED, "train.lr=0.1", "model.initialisation=zeros"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> osler.Run:
    """A run of the recipe with three planted faults, healed."""
    return heal(Wishes(overrides=SICK), out=tmp_path_factory.mktemp("healed") / "run", quiet=True)


def test_three_planted_faults_are_healed_close_to_the_healthy_recipe(run: osler.Run, tmp_path: Path) -> None:
    with no_report():
        healthy = osler.train(overrides=MLP, out=tmp_path / "healthy", quiet=True)
    assert run.metrics["accuracy"] > healthy.metrics["accuracy"] - 0.02


def test_the_healed_recipe_says_what_was_changed_and_why(run: osler.Run) -> None:
    recipe = run.recipe
    assert recipe.value("train.lr") == 0.001
    assert recipe.value("model.initialisation") == "auto"
    assert recipe.value("model.standardise").mean[0] > 0.2
    origin = recipe.origin("train.lr")
    assert origin.who == "automatic"
    assert origin.reason.startswith("healed: learning-rate-too-high with 0.1; accuracy ")
    assert recipe.origin("train.epochs").who == "person"


def test_the_report_tells_the_chain(run: osler.Run) -> None:
    with closing(run.folder.store()) as store:
        chain = [TriedChange.from_json(each) for each in store.fact("healing")]
    kept = [each for each in chain if each.kept]
    assert {each.fault for each in kept} == {"zero-init", "input-not-scaled", "learning-rate-too-high"}
    page = run.report.read_text(encoding="utf-8")
    section = page[page.index('id="healing"') :]
    assert all(each.fault in section and each.evidence.split(":")[0] in section for each in kept)
    assert kept[-1].score_after > 0.8 > 0.3 > kept[0].score_before


def test_the_healed_recipe_can_be_used_again(run: osler.Run) -> None:
    again = read_recipe(run.folder.recipe_path)
    assert again.recipe == run.recipe.recipe
    assert again.origin("train.lr").reason.startswith("healed: ")


def test_a_run_is_proved_without_a_change_to_its_folder(tmp_path: Path) -> None:
    with no_report():
        sick = osler.train(overrides=[*MLP, "train.lr=1e-6"], out=tmp_path / "sick", quiet=True)

    def state() -> dict[str, str]:
        files = sorted(p for p in sick.path.rglob("*") if p.is_file())
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    before, said = state(), list[str]()
    examination = prove_run(sick.path, save=tmp_path / "healed.yaml", say=said.append)
    assert state() == before
    assert examination.healing is not None
    assert examination.healing.words == {"train.lr": "auto"}
    assert examination.healing.after > examination.healing.before + 0.1
    assert read_recipe(tmp_path / "healed.yaml").value("train.lr") == 0.001
    assert read_recipe(tmp_path / "healed.yaml").recipe.train.epochs == 3
    found = next(f for f in examination.findings if f.remedies and f.remedies[0].proof)
    assert found.remedies[0].change == "Set train.lr to 0.001 in place of 1e-06."
    assert any("train.lr=auto" in text for text in said)


def test_a_place_that_is_taken_is_refused_before_anything_is_tried(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    with pytest.raises(RecipeError, match="is there already"):
        prove_words(["data=digits"], save=tmp_path / "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text() == "mine"


# ---- the search, with trials that a rule answers


def trial(score: float, faults: list[str], words: dict[str, str]) -> RecipeTrial:
    resolved = read_recipe(
        None, ["train.lr=0.1", "model.initialisation=zeros", *(f"{k}={v}" for k, v in words.items())]
    )
    diagnosis = Diagnosis("", [Finding(f, "critical", "seen") for f in faults])
    return RecipeTrial(diagnosis, {"accuracy": score}, "accuracy", "max", resolved, 9)


def test_what_does_not_help_is_taken_back_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(wishes: Wishes, words: dict[str, str]) -> RecipeTrial:
        good = words.get("train.lr") == "0.01"
        return trial(0.9, [], words) if good else trial(0.1, ["learning-rate-too-high"], words)

    monkeypatch.setattr(recipe_trials, "try_recipe", answer)
    mending = mend(Wishes())
    assert mending.words == {"train.lr": "0.01"}
    assert [(t.after, t.kept) for t in mending.tried] == [("auto", False), ("0.01", True)]
    assert "did not help" in str(mending.tried[0])


def test_a_healthy_recipe_is_tried_once_and_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def answer(wishes: Wishes, words: dict[str, str]) -> RecipeTrial:
        calls.append(words)
        return trial(0.95, [], words)

    monkeypatch.setattr(recipe_trials, "try_recipe", answer)
    assert mend(Wishes()).words == {}
    assert calls == [{}]


def test_a_gain_within_the_spread_over_seeds_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(wishes: Wishes, words: dict[str, str]) -> RecipeTrial:
        score = 0.5 if "seed" in words else 0.4 if words else 0.2
        return trial(score, ["learning-rate-too-high"], words)

    monkeypatch.setattr(recipe_trials, "try_recipe", answer)
    assert mend(Wishes()).words == {}


def test_ctrl_c_and_a_spent_budget_keep_what_helped(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(wishes: Wishes, words: dict[str, str]) -> RecipeTrial:
        if "train.lr" in words:
            raise KeyboardInterrupt
        if "model.initialisation" in words:
            return trial(0.5, ["learning-rate-too-high"], words)
        return trial(0.1, ["zero-init"], words)

    monkeypatch.setattr(recipe_trials, "try_recipe", answer)
    mending = mend(Wishes())
    assert mending.interrupted
    assert mending.words == {"model.initialisation": "auto"}
    assert mend(Wishes(), spent=lambda: True).stopped == "the time for trials is over"


def test_an_error_of_a_change_is_told_and_the_search_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(wishes: Wishes, words: dict[str, str]) -> RecipeTrial:
        if words.get("train.lr") == "auto":
            raise RecipeError("No such thing.")
        return trial(0.9, [], words) if words else trial(0.1, ["learning-rate-too-high"], words)

    monkeypatch.setattr(recipe_trials, "try_recipe", answer)
    mending = mend(Wishes())
    assert "No such thing." in mending.tried[0].outcome
    assert mending.words == {"train.lr": "0.01"}


# ---- the table of remedies


def test_every_remedy_is_of_a_fault_that_is_checked_and_a_key_that_a_recipe_has() -> None:
    assert set(REMEDIES) <= set(all_checks())
    words = {key for options in REMEDIES.values() for key, _ in options}
    assert words <= {*KEYS, *SECTIONS}


@pytest.mark.parametrize("fault", sorted(REMEDIES))
def test_every_word_can_be_read(fault: str) -> None:
    planted = ["train.lr=0.5", "clip_norm=0.1", "clip_value=0.1", "l1=1", "weight_decay=9", "initialisation=zeros"]
    planted += [
        UNSCALED,
        "sampler=balanced",
        "precision=float16",
        "freeze=backbone",
        "freeze_norm=true",
        "accumulate=8",
    ]
    planted += ["batch_size=1", "schedule=step", "task.loss=mse", "augment=strong"]
    resolved = read_recipe(None, planted)
    found = list(changes(fault, {key: (value, origin) for key, value, origin in resolved.rows()}))
    assert found
    for key, word in found:
        read_recipe(None, [*planted, f"{key}={word}"])


def test_what_osler_chose_itself_is_not_chosen_again() -> None:
    rows = {"train.lr": (0.001, Origin("automatic")), "train.clip_norm": (0.0, Origin("default"))}
    assert list(changes("learning-rate-too-low", rows)) == [("train.lr", "0.01")]


def test_the_reason_of_a_change_stands_at_its_key() -> None:
    resolved = read_recipe(None, ["train.lr=0.1"]).choose("train.lr", 0.001, "Adam's")
    change = TriedChange("learning-rate-too-high", "seen", "train.lr", "0.1", "0.001", "accuracy", 0.1, 0.9, kept=True)
    reason = on_record(resolved, [change]).origin("train.lr").reason
    assert reason == "healed: learning-rate-too-high with 0.1; accuracy 0.1 to 0.9 in a short trial; Adam's"


def test_a_report_without_healing_has_no_such_section() -> None:
    content = ReportContent(Subject("classification", "net", "data", ("a",)), Result("accuracy"))
    assert healing_section(content) is None
