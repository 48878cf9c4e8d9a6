"""One conversation of the Realtime protocol, without I/O: events in, effects out.

The server calls one method at a time and carries out what it returns, in order. Nothing here waits or
knows of sockets, and time is what the given clock says, so every interleaving can be tested as plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import engine
from realtime.protocol import events
from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids, random_id
from realtime.protocol.validation import check, show
from realtime.session.config import SessionConfig
from realtime.session.configuration import Configuration
from realtime.session.conversation import Conversation
from realtime.session.effects import ClearPlayback, Close, Effect, Forget, Send
from realtime.session.history import History
from realtime.session.listening import Listening
from realtime.session.making import error_event, maker
from realtime.session.responses import Responses
from realtime.session.transcriptions import Transcriptions
from realtime.session.turns import Turns


class Session:
    """One client's session.

    Args:
        clock: unix time in seconds.
        ids: makes ids; the default draws them at random.

    Raises:
        ProtocolError: `config.initial` cannot be had here.
    """

    def __init__(self, config: SessionConfig, *, clock: Callable[[], float], ids: Ids | None = None) -> None:
        self._config = config
        self._clock = clock
        self._new_id = ids or random_id
        self._make = maker(self._new_id)
        session_id, conversation_id = self._new_id("sess"), self._new_id("conv")
        self._expires_at = int(clock()) + config.max_session_s
        self._stirred_at = clock()
        self._configuration = Configuration(config, session_id, self._expires_at)
        settings = self._configuration.settings
        self._conversation = Conversation(config.max_items)
        self._history = History(self._conversation, config, self._new_id, self._make)
        self._history.input_format = settings.audio.input.format.type
        self._listening = Listening(config, settings, self._new_id)
        self._responses = Responses(
            config,
            self._configuration,
            self._conversation,
            conversation_id,
            self._history,
            self._new_id,
            self._make,
        )
        self._transcriptions = Transcriptions(config, self._new_id, self._make)
        self._turns = Turns(
            config,
            self._configuration,
            self._conversation,
            self._history,
            self._listening,
            self._responses,
            self._transcriptions,
            clock=clock,
            make=self._make,
        )
        self.id = session_id
        self._closed = False
        self._handlers = _handlers(config)

    @property
    def appended(self) -> int:
        """Samples (24 kHz) of all sound that was appended to the input buffer."""
        return self._listening.appended

    @property
    def speech_end(self) -> int | None:
        """Where in that sound the speech of the last turn ended; None where the client ended it."""
        return self._listening.speech_end

    # What the server tells the session.

    def open(self) -> list[Effect]:
        """The first event of every session."""
        return [self._make("session.created", session=self._configuration.describe())]

    def receive(self, frame: str | bytes) -> list[Effect]:
        """One text frame as it came. Never raises: what is wrong becomes an `error` event."""
        if self._closed:
            return []
        self._stirred_at = self._clock()
        event_id: str | None = None
        try:
            event = events.parse(frame)
            event_id = events.event_id_of(event)
            return [*self._handler(event)(self, event), *self._turns.early()]
        except ProtocolError as error:
            return [self._error(error, event_id)]

    def receive_binary(self, frame: bytes) -> list[Effect]:
        """A binary frame: not part of the protocol."""
        if self._closed:
            return []
        message = (
            f"A binary frame of {len(frame)} bytes came; events are JSON in text frames, sound is base64."
        )
        return [self._error(ProtocolError("invalid_event", message))]

    def append_sound(self, pcm: bytes) -> list[Effect]:
        """Sound that came beside the events (WebRTC): PCM16 mono at 24 kHz, whole samples."""
        if self._closed:
            return []
        self._stirred_at = self._clock()
        try:
            return [*self._listening.append_pcm(pcm), *self._turns.ahead()]
        except ProtocolError as error:
            return [self._error(error)]

    def heard(self, epoch: int, probabilities: Sequence[float]) -> list[Effect]:
        """Probabilities of speech, one for each window of 32 ms (768 samples) since the epoch began."""
        return [] if self._closed else self._turns.heard(epoch, probabilities)

    def judged(self, pause: int, probability: float | None) -> list[Effect]:
        """How likely it is that a turn which paused is over; None where nobody can tell."""
        return [] if self._closed else self._turns.judged(pause, probability)

    def engine(self, request_id: str, event: engine.Event) -> list[Effect]:
        """Something that the engine did for a request of this session. What is late is dropped."""
        if self._transcriptions.owns(request_id):
            return self._transcriptions.engine(request_id, event)
        return self._turns.engine(request_id, event)

    def playback_started(self, response_id: str) -> list[Effect]:
        """The player has begun a response's sound."""
        return [self._make("output_audio_buffer.started", response_id=response_id)]

    def playback_stopped(self, response_id: str) -> list[Effect]:
        """The player has played all of a response."""
        return [self._make("output_audio_buffer.stopped", response_id=response_id)]

    def playback_cleared(
        self, response_id: str, item_id: str, content_index: int, played_ms: int
    ) -> list[Effect]:
        """The player has dropped the rest of a response: what was not played was not heard."""
        cleared = self._make("output_audio_buffer.cleared", response_id=response_id)
        return [*self._history.heard_until(item_id, content_index, played_ms), cleared]

    def detector_failed(self, message: str) -> list[Effect]:
        """Turns cannot be found any more: the client is told, and may commit by itself."""
        error = ProtocolError("turn_detection_failed", message, kind="server_error")
        return [*self._listening.fail(), self._error(error), *self._turns.early()]

    def tick(self) -> list[Effect]:
        """Time passes; to be called about once a second."""
        if self._closed:
            return []
        now, idle_s = self._clock(), self._config.max_idle_s
        if now >= self._expires_at:
            minutes = self._config.max_session_s / 60
            return self._end(
                "session_expired", f"Your session hit the maximum duration of {minutes:g} minutes."
            )
        if self.busy or self._responses.answering(now):
            self._stirred_at = now
        elif idle_s and now - self._stirred_at >= idle_s:
            return self._end("session_idle", f"Nothing came from you for {idle_s:g} seconds.")
        return self._turns.tick(now)

    @property
    def busy(self) -> bool:
        """An answer or a transcription is made, or, where the server plays, an answer still heard."""
        heard = self._config.server_plays and self._responses.answering(self._clock())
        return self._responses.running or self._transcriptions.running or heard

    def stop(self) -> list[Effect]:
        """The server is being stopped: the session is over, and the client may begin another elsewhere."""
        message = "The server is being stopped; connect again."
        return [] if self._closed else self._end("server_stopping", message, "server_error")

    def close(self) -> list[Effect]:
        """The connection is gone: nothing more is sent, nothing of this session is kept anywhere."""
        if self._closed:
            return []
        self._closed = True
        effects = [
            *self._responses.end_all(tell=False),
            *self._turns.close(),
            *self._transcriptions.close(),
        ]
        sounds = tuple(sound for item in self._conversation for sound in item.audio_ids())
        if self._listening.open_audio_id:
            sounds += (self._listening.open_audio_id,)
        return [*effects, Forget(sounds)] if sounds else effects

    def _end(self, code: str, message: str, kind: str = "invalid_request_error") -> list[Effect]:
        """The server ends the session, and says why."""
        error = self._error(ProtocolError(code, message, kind=kind))
        return [*self._responses.end_all(tell=True), error, *self.close(), Close(1001, message)]

    # Client events.

    def _handler(self, event: dict[str, Any]) -> _Handler:
        kind = event.get("type")
        if kind is None:
            raise ProtocolError("missing_required_parameter", "Missing required parameter: 'type'.", "type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            supported = ", ".join(f"'{name}'" for name in self._handlers)
            message = f"Invalid value: {show(kind)}. Supported values are: {supported}."
            raise ProtocolError("invalid_value", message, "type")
        return handler

    def _update(self, event: dict[str, Any]) -> list[Effect]:
        patch = check(events.SessionUpdate, event).session
        self._configuration.update(patch, spoke=self._responses.spoke)
        settings = self._configuration.settings
        self._history.input_format = settings.audio.input.format.type
        effects = self._listening.configure(settings)
        return [self._make("session.updated", session=self._configuration.describe()), *effects]

    def _append(self, event: dict[str, Any]) -> list[Effect]:
        sound = events.decode_audio(event.get("audio"), "audio", self._config.max_append_bytes)
        return [*self._listening.append(sound), *self._turns.ahead()]

    def _commit(self, event: dict[str, Any]) -> list[Effect]:
        return self._turns.commit()

    def _clear(self, event: dict[str, Any]) -> list[Effect]:
        return [self._make("input_audio_buffer.cleared"), *self._listening.clear()]

    def _create_item(self, event: dict[str, Any]) -> list[Effect]:
        return self._history.create(event, self._listening.open_item_id)

    def _retrieve_item(self, event: dict[str, Any]) -> list[Effect]:
        return self._history.retrieve(event)

    def _truncate(self, event: dict[str, Any]) -> list[Effect]:
        effects = self._history.truncate(event)
        # Whoever truncates has stopped playing.
        self._responses.heard_at = min(self._responses.heard_at, self._clock())
        return effects

    def _delete_item(self, event: dict[str, Any]) -> list[Effect]:
        effects = self._history.delete(event)
        return [*effects, *self._transcriptions.drop(event["item_id"])]

    def _create_response(self, event: dict[str, Any]) -> list[Effect]:
        effects = self._responses.create(event)
        # One beside the conversation answers nobody who is waited for.
        if self._responses.active:
            self._turns.stir()
        return effects

    def _cancel_response(self, event: dict[str, Any]) -> list[Effect]:
        return self._responses.cancel(event)

    def _clear_playback(self, event: dict[str, Any]) -> list[Effect]:
        return [ClearPlayback()]

    def _error(self, error: ProtocolError, client_event_id: str | None = None) -> Send:
        return error_event(self._make, error, client_event_id)


_Handler = Callable[[Session, dict[str, Any]], list[Effect]]
# Of no session: a session that held methods of its own would hold itself for ever.
_TALKING: dict[str, _Handler] = {
    "session.update": Session._update,
    "input_audio_buffer.append": Session._append,
    "input_audio_buffer.commit": Session._commit,
    "input_audio_buffer.clear": Session._clear,
    "conversation.item.create": Session._create_item,
    "conversation.item.retrieve": Session._retrieve_item,
    "conversation.item.truncate": Session._truncate,
    "conversation.item.delete": Session._delete_item,
    "response.create": Session._create_response,
    "response.cancel": Session._cancel_response,
}
_PLAYING = {**_TALKING, "output_audio_buffer.clear": Session._clear_playback}
_TRANSCRIBING = {
    kind: _TALKING[kind]
    for kind in (
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.retrieve",
        "conversation.item.delete",
    )
}


def _handlers(config: SessionConfig) -> dict[str, _Handler]:
    """What such a session takes."""
    if config.type == "transcription":
        return _TRANSCRIBING
    return _PLAYING if config.server_plays else _TALKING
