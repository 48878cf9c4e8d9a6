"""The schedule of one answer: which positions the Backbone hears before each frame, and when it ends.

Two frames for each text token (the reference's
`ChromaForConditionalGeneration.prepare_inputs_for_generation`):
the first step is the voice prompt and pair 1; then the last frame alone; then the last frame and pair 2;
and so on. The pair of the token that ends the text is still fed; after it only frames follow. This is
the rule, `Speaker` moves the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

FRAMES_PER_PAIR = 2
POSITIONS_PER_PAIR = 2
"""The Reasoner's hidden state, then the embedding of its token."""


@dataclass(slots=True)
class Schedule:
    """Where an answer stands. `frames` made so far, `position` the next free one of the Backbone.

    `wants_pair`: the next step takes a pair, and has to wait until the Reasoner has made it. `length`:
    positions of the next step, 1, 2 or 3; it begins with the frame before it, unless it is the first.
    """

    position: int
    frames: int = 0
    text_over: bool = False
    wants_pair: bool = field(init=False)
    length: int = field(init=False)

    def __post_init__(self) -> None:
        self._look_ahead()

    def advance(self, *, last_pair: bool) -> None:
        """The next step was taken. `last_pair`: the pair it took ended the text."""
        self.position += self.length
        self.text_over = self.text_over or last_pair
        self.frames += 1
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.wants_pair = not self.text_over and self.frames % FRAMES_PER_PAIR == 0
        self.length = (self.frames > 0) + (POSITIONS_PER_PAIR if self.wants_pair else 0)


def ends_answer(codes: torch.Tensor, eos: int) -> torch.Tensor:
    """A frame whose codebooks but the last all hold `eos` ends the answer and is not decoded: int64
    [..., codebooks] to bool [...]."""
    return (codes[..., :-1] == eos).all(-1)
