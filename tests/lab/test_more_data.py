import numpy as np
import pytest
import torch

from osler.lab.augmentation_on_off import augmentation_on_off
from osler.lab.back_translation import DICTIONARY, Translator, back_translation, label, sentences
from osler.lab.generated_samples import generated_samples
from osler.lab.multi_label import pairs_of_digits, several_labels


@pytest.mark.craft("DA01")
def test_augmentation_on_200_samples_narrows_the_gap_and_raises_the_accuracy():
    off, on = augmentation_on_off(samples=200, epochs=40, seeds=(0, 1))
    assert on.gap < 0.85 * off.gap
    assert np.mean(on.test) > np.mean(off.test)
    assert np.mean(off.train) > 0.99


@pytest.mark.craft("DA08")
def test_generated_digits_are_digits_and_their_worth_is_reported_as_it_is():
    check_report(generated_samples(samples=200, generated=200, steps=1300, seeds=(0,)))


@pytest.mark.craft("DA08")
@pytest.mark.slow
def test_generated_digits_over_three_seeds():
    report = generated_samples()
    check_report(report)
    assert min(report.recognised) > 0.9


def check_report(report):
    assert min(report.recognised) > 0.7
    assert min(report.spread) > 0.2  # not one picture a class
    assert min(report.generated_only) > 0.6
    assert min(*report.without, *report.with_generated) > 0.85
    assert report.gain == pytest.approx(np.mean(report.with_generated) - np.mean(report.without))
    gains = np.array(report.with_generated) - np.array(report.without)
    sure = (gains > 0).all() or (gains < 0).all()
    assert ("no sure difference" in report.verdict()) != sure
    if sure:
        assert ("helped" if report.gain > 0 else "hurt") in report.verdict()


@pytest.mark.craft("DA10")
def test_a_round_trip_through_the_toy_language_paraphrases_and_keeps_the_label():
    claim = back_translation()
    assert claim.labels_kept == 1.0
    assert claim.changed > 0.9
    assert claim.with_paraphrases > claim.without + 0.15


@pytest.mark.craft("DA10")
def test_a_paraphrase_has_the_same_concepts_and_may_return_unchanged_words():
    rng, translator = np.random.default_rng(0), Translator()
    for sentence in sentences(100, rng):
        there = translator.there(sentence)
        back = translator.back(there, rng)
        assert translator.there(back) == there
        assert all(word in DICTIONARY for word in there.split())
        assert label(back) == label(sentence)
    assert translator.round_trip("Anna was great", rng).startswith("Anna ")
    assert [label(s) for s in ("the film was good", "the film was not good", "I found the book not bad")] == [1, 0, 1]


@pytest.mark.craft("DA16")
def test_sigmoids_with_a_threshold_for_each_label_find_several_labels():
    claim = several_labels()
    assert claim.map > 0.75 > 3 * claim.map_of_shuffled
    assert claim.f1_at_own > claim.f1_at_half
    assert len(set(claim.thresholds.round(3))) > 5
    assert claim.several > 0.5


@pytest.mark.craft("DA16")
def test_pairs_of_digits_carry_one_or_two_labels():
    data = pairs_of_digits(300)
    assert data.x.shape == (300, 128)
    counts = data.y.sum(1)
    assert set(counts.tolist()) == {1.0, 2.0}
    assert data.y.sum(0)[:5].min() > data.y.sum(0)[5:].max()
    assert torch.equal(data.y, data.y.round())
