"""All responses of a session: at most one at a time writes to the conversation, others run beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine import Audio, AudioDelta, Event, Finished, Message, Request, Started
from realtime.protocol import events
from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids
from realtime.protocol.response_object import ResponseObject
from realtime.protocol.session_object import SessionObject
from realtime.protocol.tools import choice_error
from realtime.protocol.validation import Str, Wire, check, show
from realtime.session.config import SessionConfig
from realtime.session.configuration import Configuration
from realtime.session.content import BYTES_PER_MS
from realtime.session.conversation import Conversation, Shown, shown
from realtime.session.early import EarlyAnswer
from realtime.session.effects import Cancel, ClearPlayback, Effect, Forget, Start
from realtime.session.history import History
from realtime.session.item import Item
from realtime.session.making import Make
from realtime.session.request import answer_request, response_settings, truncation
from realtime.session.response import Response, ResponseSettings, usage_object
from realtime.session.response_life import End

_ERRORS_OF_THE_REQUEST = ("context_length_exceeded", "unknown_voice")


class _Reference(Wire):
    id: Str


class Responses:
    """Starts, follows and ends responses.

    `heard_at` estimates (unix seconds) when what was sent of the last answer will have been heard, by a
    client that plays it as it comes. `spoke`: sound of the model was sent.
    """

    def __init__(
        self,
        config: SessionConfig,
        configuration: Configuration,
        conversation: Conversation,
        conversation_id: str,
        history: History,
        new_id: Ids,
        make: Make,
    ) -> None:
        self._config = config
        self._configuration = configuration
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._history = history
        self._new_id = new_id
        self._make = make
        self._running: dict[str, Response] = {}
        self._last: Response | None = None
        """The last one in band, whether it has ended or not."""
        self.heard_at = 0.0
        self.spoke = False

    @property
    def active(self) -> Response | None:
        """The one that writes to the conversation."""
        return self._last if self._last and self._last.active else None

    @property
    def running(self) -> bool:
        """The engine makes an answer, in the conversation or beside it."""
        return bool(self._running)

    def answering(self, now: float) -> bool:
        """An answer is made, or still heard."""
        return self.active is not None or now < self.heard_at

    def create(self, event: dict[str, Any]) -> list[Effect]:
        """`response.create`."""
        asked = check(events.ResponseCreate, event).response or ResponseObject()
        if asked.conversation not in (None, "auto", "none", self._conversation_id):
            message = f"Invalid value: {show(asked.conversation)}. Supported values are: 'auto' and 'none'."
            raise ProtocolError("invalid_value", message, "response.conversation")
        in_band = asked.conversation != "none"
        if in_band and self.active is not None:
            message = (
                f"Conversation already has an active response in progress: {self.active.id}."
                " Wait until the response is finished before creating a new one."
            )
            raise ProtocolError("conversation_already_has_active_response", message)
        if len(self._running) >= self._config.max_responses:
            message = f"{len(self._running)} responses run already, the most at once; wait for one to end."
            raise ProtocolError("too_many_responses", message)
        self._check(asked)
        if in_band:
            self._conversation.check_room()
        if asked.input is None:
            return self._start(asked, in_band, self._conversation.shown())
        items, borrowed = self._input(asked.input)
        return self._start(asked, in_band, shown(items), borrowed)

    def respond(self, early: EarlyAnswer) -> tuple[list[Effect], list[tuple[str, Event]]]:
        """Answer the conversation, as the session's settings say. Returns with the effects what the engine
        has done already, by the id of its request, where `early` is that answer."""
        refusal = self._config.meter.refusal() if self._config.meter else None
        if refusal is not None:
            response, began = self._begin(self._new_id("resp"), ResponseObject(), True, (), ())
            error = {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": refusal}
            return [*began, *self._advance(response, End("failed", error=error))], []
        turns = self._conversation.shown()
        request = self._expected([turn.message for turn in turns])
        begun = early.take(request)
        response_id, events = begun or (request.id, [])
        _, effects = self._begin(response_id, ResponseObject(), True, _told_apart(turns), ())
        if begun is None:
            effects.append(Start(request))
        return effects, [(response_id, event) for event in events]

    @property
    def refused(self) -> bool:
        """An answer to the conversation would be refused."""
        return self._conversation.full or bool(self._config.meter and self._config.meter.refusal())

    def expected(self, sound: Audio | None = None) -> Request:
        """What the engine will be asked for an answer to the conversation as it is, or to it and this."""
        messages = [turn.message for turn in self._conversation.shown()]
        if sound is not None:
            messages.append(Message("user", (sound,)))
        return self._expected(messages)

    def _expected(self, messages: list[Message]) -> Request:
        """An answer to these, as the session's settings say."""
        settings = response_settings(ResponseObject(), self._session, plays=self._config.server_plays)
        return self._request(self._new_id("resp"), settings, messages)

    def cancel(self, event: dict[str, Any]) -> list[Effect]:
        """`response.cancel`."""
        asked = check(events.ResponseCancel, event).response_id
        response = self.active if asked is None else self._running.get(asked)
        if response is None:
            which = "" if asked is None else f" with id {show(asked)}"
            message = f"Cancellation failed: no active response found{which}."
            raise ProtocolError("response_cancel_not_active", message)
        return self._stop(response, "client_cancelled")

    def interrupt(self, now: float) -> list[Effect]:
        """Somebody speaks: end the active response, and whatever is still played."""
        effects: list[Effect] = []
        if self._config.server_plays and self.answering(now):
            effects.append(ClearPlayback())
        self.heard_at = now
        return [*effects, *(self._stop(self.active, "turn_detected") if self.active else [])]

    def engine(self, request_id: str, event: Event, now: float) -> list[Effect]:
        """The engine did something for one of them; what is late is dropped."""
        response = self._running.get(request_id)
        if response is None:
            return []
        if isinstance(event, Started):
            left_out = response.shown[: event.left_out]
            self._conversation.leave_out([item_id for ids in left_out for item_id in ids])
        if isinstance(event, AudioDelta) and response.settings.modality == "audio":
            self.spoke = True
            if response.in_band:
                seconds = len(event.pcm) / BYTES_PER_MS / 1000 / response.settings.speed
                self.heard_at = max(self.heard_at, now) + seconds
        return self._advance(response, _end(event) if isinstance(event, Finished) else event)

    def end_all(self, *, tell: bool) -> list[Effect]:
        """The session ends. `tell`: its client is told how each ended."""
        effects: list[Effect] = []
        for response in list(self._running.values()):
            stopped = self._stop(response, "client_cancelled")
            effects += (
                stopped if tell else [effect for effect in stopped if isinstance(effect, Cancel | Forget)]
            )
        return effects

    def _check(self, asked: ResponseObject) -> None:
        session = self._session
        if asked.voice is not None and asked.voice != session.audio.output.voice:
            self._configuration.check_voice(asked.voice, "response.audio.output.voice")
        tools = session.tools if asked.tools is None else asked.tools
        if wrong := choice_error(asked.tool_choice or session.tool_choice, tools):
            raise ProtocolError("invalid_value", wrong, "response.tool_choice")
        if self._config.meter and (refusal := self._config.meter.refusal()):
            raise ProtocolError("rate_limit_exceeded", refusal, kind="rate_limit_error")

    def _input(self, given: list[dict[str, Any]]) -> tuple[list[Item], tuple[str, ...]]:
        """The items of a response's own input, and the sounds among them that are in no conversation."""
        items: list[Item] = []
        borrowed: list[str] = []
        for index, raw in enumerate(given):
            at = f"response.input[{index}]"
            if raw.get("type") != "item_reference":
                items.append(item := self._history.read(raw, at))
                borrowed += item.audio_ids()
                continue
            wanted = check(_Reference, raw, at).id
            found = self._conversation.find(wanted)
            if found is None:
                message = f"There is no item with id {show(wanted)} in the conversation."
                raise ProtocolError("invalid_value", message, f"{at}.id")
            items.append(found)
        return items, tuple(borrowed)

    def _start(
        self, asked: ResponseObject, in_band: bool, turns: list[Shown], borrowed: tuple[str, ...] = ()
    ) -> list[Effect]:
        ids = _told_apart(turns) if asked.input is None else ()
        response, began = self._begin(self._new_id("resp"), asked, in_band, ids, borrowed)
        messages = [turn.message for turn in turns]
        return [*began, Start(self._request(response.id, response.settings, messages))]

    def _request(self, response_id: str, settings: ResponseSettings, messages: list[Message]) -> Request:
        voice = self._configuration.speaker(settings.voice)
        request = answer_request(response_id, settings, messages, voice, truncation(self._session))
        return replace(request, conversation=self._conversation_id)

    def _begin(
        self,
        response_id: str,
        asked: ResponseObject,
        in_band: bool,
        ids: tuple[tuple[str, ...], ...],
        borrowed: tuple[str, ...],
    ) -> tuple[Response, list[Effect]]:
        response = Response(
            response_id,
            response_settings(asked, self._session, plays=self._config.server_plays),
            self._conversation if in_band else None,
            self._conversation_id if in_band else None,
            self._new_id,
            self._make,
            shown=ids,
            borrowed=borrowed,
        )
        self._running[response.id] = response
        if in_band:
            self._last = response
        return response, response.begin()

    def _stop(self, response: Response, reason: str) -> list[Effect]:
        """The engine is told first to stop."""
        return [Cancel(response.id), *self._advance(response, End("cancelled", reason))]

    def _advance(self, response: Response, happening: Any) -> list[Effect]:
        effects = response.advance(happening)
        if response.active:
            return effects
        del self._running[response.id]
        if response.borrowed:
            effects.append(Forget(response.borrowed))
        if self._config.meter:
            self._config.meter.spend(usage_object(response.usage)["total_tokens"])
            effects.append(self._make("rate_limits.updated", rate_limits=self._config.meter.state()))
        return effects

    @property
    def _session(self) -> SessionObject:
        settings = self._configuration.settings
        assert isinstance(settings, SessionObject), "a session that only transcribes answers nothing"
        return settings


def _told_apart(turns: list[Shown]) -> tuple[tuple[str, ...], ...]:
    """Item ids of the messages that the engine counts when it leaves some out; system messages never are."""
    return tuple(turn.item_ids for turn in turns if turn.message.role != "system")


def _end(event: Finished) -> End:
    if event.reason == "completed":
        return End("completed", usage=event.usage)
    if event.reason == "length":
        return End("incomplete", "max_output_tokens", usage=event.usage)
    if event.reason == "cancelled":
        return End("cancelled", "client_cancelled", usage=event.usage)
    code = event.code or "engine_error"
    kind = "invalid_request_error" if code in _ERRORS_OF_THE_REQUEST else "server_error"
    return End("failed", error={"type": kind, "code": code, "message": event.message or "The engine failed."})
