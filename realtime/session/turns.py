"""Whose turn it is: what is heard becomes turns, turns are answered, and silence that lasts is one too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import engine
from engine import SAMPLE_RATE, Audio, Finished
from realtime.protocol.errors import ProtocolError
from realtime.protocol.turns import ServerVad
from realtime.session import idle
from realtime.session.config import SessionConfig
from realtime.session.configuration import Configuration
from realtime.session.conversation import Conversation
from realtime.session.early import EarlyAnswer
from realtime.session.effects import Effect, Forget, Judge, Listen, Send
from realtime.session.history import History
from realtime.session.idle import Answered, IdleState, Passed, Stirred
from realtime.session.item import MessageItem
from realtime.session.listening import Listening, Turn
from realtime.session.making import Make, error_event
from realtime.session.responses import Responses
from realtime.session.transcriptions import Transcriptions

_LATE = 3 * SAMPLE_RATE // 2
"""Samples that wait to be listened to, from which on no answer is begun early."""


class Turns:
    """Takes turns: the user's as `listening` finds them or a client commits them, the model's after them.

    Args:
        clock: unix time in seconds.
    """

    def __init__(
        self,
        config: SessionConfig,
        configuration: Configuration,
        conversation: Conversation,
        history: History,
        listening: Listening,
        responses: Responses,
        transcriptions: Transcriptions,
        *,
        clock: Callable[[], float],
        make: Make,
    ) -> None:
        self._config = config
        self._configuration = configuration
        self._conversation = conversation
        self._history = history
        self._listening = listening
        self._responses = responses
        self._transcriptions = transcriptions
        self._clock = clock
        self._make = make
        self._idle = IdleState()
        self._early = EarlyAnswer()

    @property
    def _only_transcribes(self) -> bool:
        return self._config.type == "transcription"

    def heard(self, epoch: int, probabilities: Sequence[float]) -> list[Effect]:
        """Probabilities of speech, one for each window of 32 ms (768 samples) since the epoch began."""
        effects: list[Effect] = []
        if epoch != self._listening.epoch:
            return effects
        answering = self._responses.answering(self._clock())
        for happening in self._listening.hear(epoch, probabilities, answering=answering):
            effects += [happening] if isinstance(happening, Judge) else self._turn(happening)
        return [*effects, *self.ahead(), *self.early()]

    def judged(self, pause: int, probability: float | None) -> list[Effect]:
        """How likely it is that a turn which paused is over; None where nobody can tell."""
        turn = self._listening.judged(pause, probability)
        return [*self._turn(turn), *self.early()] if turn else []

    def commit(self) -> list[Effect]:
        """All that is buffered is the user's turn. Raises ProtocolError where it cannot be one."""
        self._conversation.check_room()
        taken = self._listening.commit()
        committed = self._history.commit(taken.item_id, taken.pcm, taken.audio_id)
        self.stir()
        written = self._transcribe(taken.item_id)
        if not taken.spoken:
            return [*committed, *written]
        return [self._speech_stopped(taken.end_ms, taken.item_id), *committed, *written]

    def engine(self, request_id: str, event: engine.Event) -> list[Effect]:
        """Something that the engine did for an answer of this session. What is late is dropped."""
        if self._early.owns(request_id):
            self._early.keep(event)
            return []
        last, now = self._responses.active, self._clock()
        effects = self._responses.engine(request_id, event, now)
        if isinstance(event, Finished) and last and last.status in ("completed", "incomplete"):
            self._stir(Answered(max(now, self._responses.heard_at)))
        return effects

    def stir(self) -> None:
        """Somebody speaks or is answered."""
        self._stir(Stirred())

    def tick(self, now: float) -> list[Effect]:
        """It is `now` (unix seconds). Where nobody has said anything for long, the silence is a turn, and the
        model may speak again."""
        if not self._stir(Passed(now)):
            return []
        if self._responses.active or self._listening.open_item_id or self._only_transcribes:
            return []
        try:
            self._conversation.check_room()
        except ProtocolError as error:
            return [error_event(self._make, error)]
        silence = self._listening.commit_silence()
        triggered = self._make(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=silence.start_ms,
            audio_end_ms=silence.end_ms,
            item_id=silence.item_id,
        )
        return [triggered, *self._history.commit(silence.item_id, silence.pcm), *self._answer()]

    def ahead(self, *, all_of_it: bool = False) -> list[Effect]:
        """What the engine may hear already of the turn that is being spoken."""
        piece = None if self._only_transcribes else self._listening.ahead(all_of_it=all_of_it)
        if piece is None:
            return []
        before = self._responses.expected() if piece.first else None
        return [Listen(Audio(piece.audio_id, piece.pcm), before)]

    def early(self) -> list[Effect]:
        """Begin an answer where somebody has fallen silent, before that silence is long enough to end the
        turn; throw away one whose silence is over."""
        silence = self._listening.silence
        effects = self._early.leave(silence)
        mode = self._config.early_answers
        if silence is None or silence == self._early.silence or mode == "off":
            return effects
        if self._only_transcribes or not self._listening.answers:
            return effects
        if self._responses.active or self._responses.refused:
            return effects
        # A silence that is heard of that late is over; and who cannot keep up has no time for guesses.
        if self._listening.unheard > _LATE:
            return effects
        effects += self.ahead(all_of_it=True)
        sound = self._listening.so_far()
        only_if_room = mode == "auto"
        request = replace(self._responses.expected(sound), only_if_room=only_if_room)
        return [*effects, *self._early.begin(silence, request)]

    def close(self) -> list[Effect]:
        """Nobody is answered any more."""
        return self._early.leave(None)

    def _turn(self, turn: Turn) -> list[Effect]:
        self.stir()
        if turn.pcm is None:
            started = self._make(
                "input_audio_buffer.speech_started", audio_start_ms=turn.at_ms, item_id=turn.item_id
            )
            return [started, *(self._responses.interrupt(self._clock()) if turn.answer else [])]
        effects: list[Effect] = [self._speech_stopped(turn.at_ms, turn.item_id)]
        try:
            self._conversation.check_room()
        except ProtocolError as error:
            lost = [Forget((turn.audio_id,))] if turn.audio_id else []
            return [*effects, error_event(self._make, error), *lost]
        effects += self._history.commit(turn.item_id, turn.pcm, turn.audio_id)
        if turn.answer:
            effects += self._answer()
        # After the answer, which somebody waits for.
        return [*effects, *self._transcribe(turn.item_id)]

    def _answer(self) -> list[Effect]:
        if self._responses.active or self._only_transcribes:
            return []
        effects, begun = self._responses.respond(self._early)
        for request_id, event in begun:
            effects += self.engine(request_id, event)
        return effects

    def _transcribe(self, item_id: str) -> list[Effect]:
        item = self._conversation.find(item_id)
        assert isinstance(item, MessageItem)
        asked = self._configuration.settings.audio.input.transcription
        return self._transcriptions.start(item_id, item.content[0], asked)

    def _stir(self, happening: Answered | Stirred | Passed) -> bool:
        vad = self._configuration.settings.audio.input.turn_detection
        timeout = vad.idle_timeout_ms if isinstance(vad, ServerVad) else None
        self._idle, over = idle.next_state(self._idle, happening, timeout)
        return over

    def _speech_stopped(self, at_ms: int, item_id: str) -> Send:
        return self._make("input_audio_buffer.speech_stopped", audio_end_ms=at_ms, item_id=item_id)
