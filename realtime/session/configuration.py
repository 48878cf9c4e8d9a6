"""The session's own settings: what they are, who may change what when, and how they are shown."""

from __future__ import annotations

from typing import Any

from realtime.protocol import session_object, values
from realtime.protocol.errors import ProtocolError
from realtime.protocol.session_object import AnySession, SessionObject, TranscriptionObject
from realtime.protocol.tools import choice_error
from realtime.session.config import SessionConfig


class Configuration:
    """Holds the effective session object.

    Args:
        session_id: shown as the session's id.
        expires_at: unix seconds, shown.

    Raises:
        ProtocolError: `config.initial` cannot be had here.
    """

    def __init__(self, config: SessionConfig, session_id: str, expires_at: int) -> None:
        self._config = config
        self._shown = {"id": session_id, "expires_at": expires_at}
        self.settings: AnySession
        if config.type == "transcription":
            self.settings = TranscriptionObject(type="transcription")
        else:
            self.settings = SessionObject(type="realtime", instructions=config.instructions)
            self.settings.audio.output.voice = config.voices[0] if config.voices else "default"
        if config.initial:
            self.update({"type": config.type, **config.initial}, spoke=False)

    def update(self, patch: dict[str, Any], *, spoke: bool) -> None:
        """Change what the patch names, all of it or nothing. `spoke`: the model's voice was heard.

        Raises:
            ProtocolError: with the path of what is wrong, from `session` on.
        """
        old = self.settings
        if isinstance(old, TranscriptionObject):
            self.settings = session_object.update(old, patch)
            return
        new = session_object.update(old, patch)
        at = "session.audio.output.voice"
        voice = new.audio.output.voice
        if voice != old.audio.output.voice:
            self.check_voice(voice, at)
        if spoke and self.speaker(voice) != self.speaker(old.audio.output.voice):
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise ProtocolError("cannot_update_voice", message, at)
        if wrong := choice_error(new.tool_choice, new.tools):
            raise ProtocolError("invalid_value", wrong, "session.tool_choice")
        self.settings = new

    def check_voice(self, voice: str, param: str) -> None:
        """Raises ProtocolError where there is no such voice."""
        if wrong := values.voice_error(voice, self._config.voices):
            raise ProtocolError("invalid_value", wrong, param)

    def speaker(self, voice: str) -> str | None:
        """The installed voice that a name means: the default one for a stock voice's. None: the engine's."""
        installed = self._config.voices
        return voice if voice in installed else next(iter(installed), None)

    def describe(self) -> dict[str, Any]:
        """The whole session object."""
        shown: dict[str, Any] = {**self._shown, **self.settings.model_dump()}
        if isinstance(self.settings, TranscriptionObject):
            return {"object": "realtime.transcription_session", **shown}
        return {"object": "realtime.session", "model": self._config.model, **shown}
