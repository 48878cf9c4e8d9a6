"""A language model of word pairs in the ARPA format, for the recogniser."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

BEGIN, END = "<s>", "</s>"
_ADD = 0.5
"""Added to the count of every word."""


class Bigram:
    """Witten-Bell: the more different words have followed one, the more any word may follow it."""

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        single: Counter[str] = Counter()
        self._pairs: dict[str, Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            marked = [BEGIN, *sentence, END]
            single.update(marked[1:])
            for word, following in itertools.pairwise(marked):
                self._pairs[word][following] += 1
        total = single.total() + _ADD * len(single)
        self.single = {word: (count + _ADD) / total for word, count in single.items()}
        """Probability of each word, wherever it stands."""

    def back_off(self, word: str) -> float:
        """The share that is left to single words after `word`."""
        after = self._pairs[word]
        return len(after) / (after.total() + len(after)) if after else 1.0

    def probability(self, word: str, following: str) -> float:
        """Of `following` after `word`."""
        after, left = self._pairs[word], self.back_off(word)
        seen = after[following] / after.total() if after else 0.0
        return (1 - left) * seen + left * self.single[following]

    def arpa(self) -> str:
        """The model as a file."""
        pairs = [(word, other) for word, after in sorted(self._pairs.items()) for other in sorted(after)]
        lines = ["\\data\\", f"ngram 1={len(self.single) + 1}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
        lines.append(f"-99 {BEGIN} {math.log10(self.back_off(BEGIN)):.5f}")
        for word in sorted(self.single):
            left = f" {math.log10(self.back_off(word)):.5f}" if word != END else ""
            lines.append(f"{math.log10(self.single[word]):.5f} {word}{left}")
        lines += ["", "\\2-grams:"]
        lines += [f"{math.log10(self.probability(word, other)):.5f} {word} {other}" for word, other in pairs]
        return "\n".join([*lines, "", "\\end\\", ""])
