"""`/v1/audio/voices`: cloned voices, added with the consent of whose they are."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from engine import EngineError
from engine.voices.store import StoredVoice, VoiceStore
from realtime.protocol.errors import ProtocolError
from realtime.server.gateway import Gateway
from realtime.server.rest.body import read_json
from realtime.server.rest.forms import read_form
from realtime.server.rest.sound_files import fetch

_CODES = {"unknown_voice": "not_found", "voice_exists": "already_exists", "voice_builtin": "not_allowed"}
_PARAMS = {
    "voice_name_invalid": "name",
    "voice_exists": "name",
    "voice_transcript_missing": "transcript",
    "voice_text_too_long": "transcript",
}
_FIELDS = ("name", "transcript", "consent")


class VoiceRoutes:
    """Lists, adds and deletes voices of the folder that the engine reads too."""

    def __init__(self, gateway: Gateway) -> None:
        self._settings = gateway.settings
        self._store = VoiceStore(gateway.settings.voices_dir)

    async def list(self, _: HttpRequest) -> Response:
        """`GET /v1/audio/voices`."""
        voices = await asyncio.to_thread(self._store.list)
        return JSONResponse({"object": "list", "data": [_shown(voice) for voice in voices]})

    async def add(self, http: HttpRequest) -> Response:
        """`POST /v1/audio/voices`: multipart with `file`, or JSON with `audio` in base64; and `name`,
        `transcript` and `consent`, a statement of who agreed."""
        given, sound = await self._read(http)
        try:
            voice = await asyncio.to_thread(self._add, given, sound)
        except EngineError as error:
            raise _translated(error) from None
        return JSONResponse(_shown(voice), 201)

    async def delete(self, http: HttpRequest) -> Response:
        """`DELETE /v1/audio/voices/{name}`."""
        name = http.path_params["name"]
        try:
            await asyncio.to_thread(self._store.remove, name)
        except EngineError as error:
            raise _translated(error) from None
        return JSONResponse({"id": name, "object": "audio.voice", "deleted": True})

    async def _read(self, http: HttpRequest) -> tuple[dict[str, str], bytes]:
        limit = self._settings.max_body_bytes
        data: dict[str, Any]
        if http.headers.get("content-type", "").startswith("multipart/form-data"):
            data = await read_form(http, limit)
            file = data.get("file")
            if not isinstance(file, UploadFile):
                raise ProtocolError(
                    "missing_required_parameter", "Missing required parameter: 'file'.", "file"
                )
            sound = await file.read()
        else:
            data = await read_json(http, limit)
            if "audio" not in data:
                raise ProtocolError(
                    "missing_required_parameter", "Missing required parameter: 'audio'.", "audio"
                )
            sound = fetch(data["audio"], "audio", self._settings.audio_folder, limit)
        given: dict[str, str] = {}
        for field in _FIELDS:
            value = data.get(field)
            if not isinstance(value, str) or not value.strip():
                why = " It states who agreed that this voice is cloned." if field == "consent" else ""
                message = f"Missing required parameter: '{field}'.{why}"
                raise ProtocolError("missing_required_parameter", message, field)
            given[field] = value
        return given, sound

    def _add(self, given: dict[str, str], sound: bytes) -> StoredVoice:
        most = self._settings.max_voices
        return self._store.add(given["name"], sound, given["transcript"], given["consent"], most=most)


def _shown(voice: StoredVoice) -> dict[str, Any]:
    return {
        "id": voice.name,
        "object": "audio.voice",
        "name": voice.name,
        "transcript": voice.transcript,
        "seconds": round(voice.seconds, 3),
        "consent": voice.consent,
        "builtin": voice.builtin,
    }


def _translated(error: EngineError) -> ProtocolError:
    kind = "server_error" if error.code == "voice_not_writable" else "invalid_request_error"
    unnamed = ("voice_not_writable", "voice_store_full")
    about_file = error.code.startswith("voice_") and error.code not in unnamed
    param = _PARAMS.get(error.code, "file" if about_file else None)
    return ProtocolError(_CODES.get(error.code, error.code), f"{error.message}.", param, kind)
