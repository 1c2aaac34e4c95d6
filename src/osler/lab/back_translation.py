"""Back-translation in a toy language: sentences come back from another language in other words, their label kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Concepts of a toy foreign language, each with the English words that mean it.
DICTIONARY: Mapping[str, tuple[str, ...]] = {
    "bona": ("good", "fine", "great", "lovely"),
    "mala": ("bad", "poor", "awful", "terrible"),
    "filmo": ("film", "movie", "picture"),
    "libro": ("book", "novel", "volume"),
    "mangho": ("meal", "dinner", "food"),
    "esti": ("was", "seemed"),
    "tre": ("very", "really", "truly"),
    "mi": ("I",),
    "trovi": ("found", "thought", "called"),
    "la": ("the", "this"),
    "ne": ("not",),
}


class Translator:
    """Word by word through a dictionary: any of a concept's words in, a random one of them out."""

    def __init__(self, dictionary: Mapping[str, tuple[str, ...]] = DICTIONARY) -> None:
        self.dictionary = dictionary
        self._there = {word: concept for concept, words in dictionary.items() for word in words}

    def there(self, sentence: str) -> str:
        """Into the other language; a word that the dictionary lacks stays as it is (names do)."""
        return " ".join(self._there.get(word, word) for word in sentence.split())

    def back(self, sentence: str, rng: np.random.Generator) -> str:
        """Into English, each concept by one of its words."""
        options = [self.dictionary.get(word, (word,)) for word in sentence.split()]
        return " ".join(words[rng.integers(len(words))] for words in options)

    def round_trip(self, sentence: str, rng: np.random.Generator) -> str:
        """A paraphrase (Sennrich et al. 2016, "Improving neural machine translation models with monolingual data")."""
        return self.back(self.there(sentence), rng)


def label(sentence: str) -> int:
    """1 where the sentence praises, 0 where it blames: the sign of its judgement, turned round by "not"."""
    words = sentence.split()
    praise = any(w in DICTIONARY["bona"] for w in words)
    return int(praise != ("not" in words))


def sentences(count: int, rng: np.random.Generator, *, words: int = 99) -> list[str]:
    """Random judgements ("the film was not very good"), each concept by one of its first `words` words."""

    def pick(concept: str) -> str:
        options = DICTIONARY[concept][:words]
        return options[rng.integers(len(options))]

    found = []
    for _ in range(count):
        thing, judgement = rng.choice(["filmo", "libro", "mangho"]), rng.choice(["bona", "mala"])
        start = ["la", thing, "esti"] if rng.random() < 0.5 else ["mi", "trovi", "la", thing]
        middle = [c for c in ("ne", "tre") if rng.random() < 0.4]
        found.append(" ".join(pick(str(c)) for c in [*start, *middle, judgement]))
    return found


@dataclass(frozen=True, slots=True)
class BackTranslated:
    """A classifier of judgements trained on sentences of few words, and tested on sentences of all words."""

    labels_kept: float  # share of paraphrases whose label is that of their source
    changed: float  # share of paraphrases that differ from their source
    without: float  # test accuracy
    with_paraphrases: float


def back_translation(*, samples: int = 60, copies: int = 5, seed: int = 0) -> BackTranslated:
    """The training sentences know only the first word of each concept; paraphrases bring in the others."""
    rng = np.random.default_rng(seed)
    translator = Translator()
    train, test = sentences(samples, rng, words=1), sentences(400, rng)
    paraphrases = [translator.round_trip(s, rng) for s in train for _ in range(copies)]
    sources = [s for s in train for _ in range(copies)]
    kept = np.mean([label(p) == label(s) for p, s in zip(paraphrases, sources, strict=True)])
    changed = np.mean([p != s for p, s in zip(paraphrases, sources, strict=True)])
    return BackTranslated(float(kept), float(changed), _accuracy(train, test), _accuracy([*train, *paraphrases], test))


def _accuracy(train: Sequence[str], test: Sequence[str]) -> float:
    """Of a logistic regression on words and pairs of words ("not" with every other word of the sentence)."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    words = CountVectorizer(analyzer=_features, binary=True)
    model = LogisticRegression(C=10, max_iter=1000).fit(words.fit_transform(train), [label(s) for s in train])
    return float(model.score(words.transform(test), [label(s) for s in test]))


def _features(sentence: str) -> list[str]:
    words = sentence.split()
    return [*words, *(f"not+{w}" for w in words)] if "not" in words else words
