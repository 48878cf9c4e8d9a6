"""The schedule of one answer: which positions the Backbone hears before each frame, and when it ends.

Two frames for each text token (the reference's
`ChromaForConditionalGeneration.prepare_inputs_for_generation`):
the first step is the voice prompt and pair 1; then the last frame alone; then the last frame and pair 2;
and so on. The pair of the token that ends the text is still fed; after it only frames follow. No tensors
here: this is the rule, `Speaker` moves the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FRAMES_PER_PAIR = 2
POSITIONS_PER_PAIR = 2
"""The Reasoner's hidden state, then the embedding of its token."""


@dataclass(slots=True)
class Schedule:
    """Where an answer stands. `frames` made so far, `position` the next free one of the Backbone."""

    position: int
    frames: int = 0
    text_over: bool = False

    @property
    def hears_frame(self) -> bool:
        """The next step begins with the frame before it; only the first step has none."""
        return self.frames > 0

    @property
    def wants_pair(self) -> bool:
        """The next step takes a pair, and has to wait until the Reasoner has made it."""
        return not self.text_over and self.frames % FRAMES_PER_PAIR == 0

    @property
    def length(self) -> int:
        """Positions of the next step: 1, 2 or 3."""
        return int(self.hears_frame) + (POSITIONS_PER_PAIR if self.wants_pair else 0)

    def advance(self, *, last_pair: bool) -> None:
        """The next step was taken. `last_pair`: the pair it took ended the text."""
        self.position += self.length
        self.text_over = self.text_over or last_pair
        self.frames += 1


def ends_answer(codes: Sequence[int], eos: int) -> bool:
    """A frame whose codebooks but the last all hold `eos` ends the answer and is not decoded."""
    return all(code == eos for code in codes[:-1])
