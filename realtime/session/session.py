"""One conversation of the Realtime protocol, without I/O: events in, effects out.

The server calls one method at a time and carries out what it returns, in order. Nothing here waits,
reads a clock or knows of sockets, so every interleaving can be tested as plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import engine
from engine import AudioDelta, Started, TextDelta
from realtime.protocol import events, session_object, values
from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids, random_id
from realtime.protocol.response_object import ResponseObject
from realtime.protocol.session_object import SessionObject
from realtime.protocol.validation import check, show
from realtime.session.config import SessionConfig
from realtime.session.conversation import Conversation
from realtime.session.effects import Cancel, Close, Effect, Forget, Send, Start
from realtime.session.history import History
from realtime.session.listening import Listening
from realtime.session.request import answer_request, response_settings
from realtime.session.response import Response

_ERRORS_OF_THE_REQUEST = ("context_length_exceeded", "unknown_voice")


class Session:
    """One client's session.

    Args:
        now: unix time in seconds; `tick` gives later ones.
        ids: makes ids; the default draws them at random.
    """

    def __init__(self, config: SessionConfig, *, now: float, ids: Ids | None = None) -> None:
        self._config = config
        self._new_id = ids or random_id
        self._id = self._new_id("sess")
        self._conversation_id = self._new_id("conv")
        self._expires_at = int(now) + config.max_session_s
        self._settings = SessionObject(type="realtime", instructions=config.instructions)
        self._settings.audio.output.voice = config.voices[0] if config.voices else "default"
        self._conversation = Conversation(config.max_items)
        self._history = History(self._conversation, config.max_append_bytes, self._new_id, self._event)
        self._listening = Listening(config, self._settings, self._new_id)
        self._response: Response | None = None
        self._spoke = False
        self._closed = False
        self._handlers: dict[str, Callable[[dict[str, Any]], list[Effect]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._history.retrieve,
            "conversation.item.truncate": self._history.truncate,
            "conversation.item.delete": self._history.delete,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    # What the server tells the session.

    def open(self) -> list[Effect]:
        """The first event of every session."""
        return [self._event("session.created", session=self._describe())]

    def receive(self, frame: str | bytes) -> list[Effect]:
        """One text frame as it came. Never raises: what is wrong becomes an `error` event."""
        if self._closed:
            return []
        event_id: str | None = None
        try:
            event = events.parse(frame)
            event_id = events.event_id_of(event)
            return self._handler(event)(event)
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

    def heard(self, epoch: int, probabilities: Sequence[float]) -> list[Effect]:
        """Probabilities of speech, one for each window of 32 ms (768 samples) since the epoch began."""
        if self._closed:
            return []
        effects: list[Effect] = []
        for turn in self._listening.hear(epoch, probabilities):
            if turn.pcm is None:
                effects.append(
                    self._event(
                        "input_audio_buffer.speech_started", audio_start_ms=turn.at_ms, item_id=turn.item_id
                    )
                )
                if turn.answer:
                    effects += self._interrupt("turn_detected")
                continue
            effects.append(self._speech_stopped(turn.at_ms, turn.item_id))
            try:
                self._conversation.check_room()
            except ProtocolError as error:
                effects.append(self._error(error))
                continue
            effects += self._history.commit(turn.item_id, turn.pcm)
            if turn.answer and not self._active:
                effects += self._respond(ResponseObject())
        return effects

    def engine(self, request_id: str, event: engine.Event) -> list[Effect]:
        """Something that the engine did for a request of this session. What is late is dropped."""
        response = self._response
        if response is None or response.id != request_id or not response.active:
            return []
        if isinstance(event, Started):
            return response.started(event.usage)
        if isinstance(event, TextDelta):
            return response.text(event.text, event.tokens)
        if isinstance(event, AudioDelta):
            effects = response.audio(event.pcm)
            self._spoke = self._spoke or bool(effects)
            return effects
        if event.reason == "completed":
            return response.finish("completed", usage=event.usage)
        if event.reason == "length":
            return response.finish("incomplete", reason="max_output_tokens", usage=event.usage)
        if event.reason == "cancelled":
            return response.finish("cancelled", reason="client_cancelled", usage=event.usage)
        code = event.code or "engine_error"
        kind = "invalid_request_error" if code in _ERRORS_OF_THE_REQUEST else "server_error"
        error = {"type": kind, "code": code, "message": event.message or "The engine failed."}
        return response.finish("failed", error=error)

    def detector_failed(self, message: str) -> list[Effect]:
        """Turns cannot be found any more: the client is told, and may commit by itself."""
        error = ProtocolError("turn_detection_failed", message, kind="server_error")
        return [*self._listening.fail(), self._error(error)]

    def tick(self, now: float) -> list[Effect]:
        """Time passes."""
        if self._closed or now < self._expires_at:
            return []
        minutes = self._config.max_session_s / 60
        message = f"Your session hit the maximum duration of {minutes:g} minutes."
        error = self._error(ProtocolError("session_expired", message))
        return [error, *self.close(), Close(1001, message)]

    def close(self) -> list[Effect]:
        """The connection is gone: nothing more is sent, nothing of this session is kept anywhere."""
        if self._closed:
            return []
        self._closed = True
        effects: list[Effect] = []
        if self._active is not None:
            effects.append(Cancel(self._active.id))
            self._response = None
        sounds = tuple(sound for item in self._conversation for sound in item.audio_ids())
        return [*effects, Forget(sounds)] if sounds else effects

    # Client events.

    def _handler(self, event: dict[str, Any]) -> Callable[[dict[str, Any]], list[Effect]]:
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
        settings = session_object.update(self._settings, patch)
        old, voice = self._settings.audio.output.voice, settings.audio.output.voice
        self._check_voice(voice, "session.audio.output.voice")
        if self._spoke and self._speaker(voice) != self._speaker(old):
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise ProtocolError("cannot_update_voice", message, "session.audio.output.voice")
        self._settings = settings
        effects = self._listening.configure(settings)
        return [self._event("session.updated", session=self._describe()), *effects]

    def _append(self, event: dict[str, Any]) -> list[Effect]:
        sound = events.decode_audio(event.get("audio"), "audio", self._config.max_append_bytes)
        return self._listening.append(sound)

    def _commit(self, event: dict[str, Any]) -> list[Effect]:
        self._conversation.check_room()
        taken = self._listening.commit()
        committed = self._history.commit(taken.item_id, taken.pcm)
        if taken.ended_at_ms is None:
            return committed
        return [self._speech_stopped(taken.ended_at_ms, taken.item_id), *committed]

    def _clear(self, event: dict[str, Any]) -> list[Effect]:
        return [self._event("input_audio_buffer.cleared"), *self._listening.clear()]

    def _create_item(self, event: dict[str, Any]) -> list[Effect]:
        return self._history.create(event, self._listening.open_item_id)

    def _create_response(self, event: dict[str, Any]) -> list[Effect]:
        asked = check(events.ResponseCreate, event).response or ResponseObject()
        if self._active is not None:
            message = (
                f"Conversation already has an active response in progress: {self._active.id}."
                " Wait until the response is finished before creating a new one."
            )
            raise ProtocolError("conversation_already_has_active_response", message)
        if asked.conversation not in (None, "auto", self._conversation_id):
            message = f"Invalid value: {show(asked.conversation)}. Supported values are: 'auto'."
            raise ProtocolError("invalid_value", message, "response.conversation")
        if asked.voice is not None:
            self._check_voice(asked.voice, "response.audio.output.voice")
        self._conversation.check_room()
        return self._respond(asked)

    def _cancel_response(self, event: dict[str, Any]) -> list[Effect]:
        asked = check(events.ResponseCancel, event).response_id
        if self._active is None or asked not in (None, self._active.id):
            which = "" if asked is None else f" with id {show(asked)}"
            message = f"Cancellation failed: no active response found{which}."
            raise ProtocolError("response_cancel_not_active", message)
        return self._interrupt("client_cancelled")

    # What they share.

    @property
    def _active(self) -> Response | None:
        return self._response if self._response and self._response.active else None

    def _respond(self, asked: ResponseObject) -> list[Effect]:
        settings = response_settings(asked, self._settings)
        response = Response(settings, self._conversation, self._conversation_id, self._new_id, self._event)
        self._response = response
        request = answer_request(response.id, settings, self._conversation, self._speaker(settings.voice))
        return [*response.begin(), Start(request)]

    def _interrupt(self, reason: str) -> list[Effect]:
        """End the active response, if there is one; the engine is told first to stop."""
        if self._active is None:
            return []
        return [Cancel(self._active.id), *self._active.finish("cancelled", reason=reason)]

    def _speech_stopped(self, at_ms: int, item_id: str) -> Send:
        return self._event("input_audio_buffer.speech_stopped", audio_end_ms=at_ms, item_id=item_id)

    def _check_voice(self, voice: str, param: str) -> None:
        if voice == self._settings.audio.output.voice:
            return
        if wrong := values.voice_error(voice, self._config.voices):
            raise ProtocolError("invalid_value", wrong, param)

    def _speaker(self, voice: str) -> str | None:
        """The installed voice that a name means: the default one for a stock voice's. None: the engine's."""
        installed = self._config.voices
        return voice if voice in installed else next(iter(installed), None)

    def _describe(self) -> dict[str, Any]:
        return {
            "object": "realtime.session",
            "id": self._id,
            "model": self._config.model,
            "expires_at": self._expires_at,
            **self._settings.model_dump(),
        }

    def _event(self, kind: str, **fields: Any) -> Send:
        return Send({"type": kind, "event_id": self._new_id("event"), **fields})

    def _error(self, error: ProtocolError, client_event_id: str | None = None) -> Send:
        return self._event("error", error=error.body(client_event_id))
