"""`GET /openapi.json`: what can be asked over HTTP, in the form that tools read."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    made: Schema = {"type": "object", "properties": properties}
    return made | {"required": list(required)} if required else made


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _whole(least: int, most: int | None = None) -> Schema:
    made: Schema = {"type": "integer", "minimum": least}
    return made | ({"maximum": most} if most is not None else {})


def _among(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _list(items: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": items, **bounds}


_ANY: Schema = {"type": "object"}
_TEXT: Schema = {"type": "string"}
_BINARY: Schema = {"type": "string", "format": "binary"}
_ERROR = _object(
    ("error",),
    error=_object(
        ("type", "code", "message", "param"), type=_TEXT, code=_TEXT, message=_TEXT, param=_maybe(_TEXT)
    ),
)
_MODEL = _object(("id", "object"), id=_TEXT, object=_TEXT, created=_whole(0), owned_by=_TEXT)
_VOICE = _object(
    ("id", "object", "name", "transcript", "seconds", "consent", "builtin"),
    id=_TEXT, object=_TEXT, name=_TEXT, transcript=_TEXT, seconds={"type": "number"}, consent=_TEXT,
    builtin={"type": "boolean"},
)  # fmt: skip
_CHAT = _object(
    ("messages",),
    messages=_list(_ANY, minItems=1, maxItems=1000),
    modalities=_maybe(_list(_among("text", "audio"))),
    audio=_maybe(_object(voice=_TEXT, format=_TEXT)),
    stream=_maybe({"type": "boolean"}),
    tools=_maybe(_list(_object(("type", "function"), type=_among("function"), function=_ANY), maxItems=128)),
    max_completion_tokens=_maybe(_whole(1)),
    temperature=_maybe({"type": "number", "minimum": 0, "maximum": 2}),
    top_p=_maybe({"type": "number", "minimum": 0, "maximum": 1}),
    seed=_maybe({"type": "integer"}),
    return_audio=_maybe({"type": "boolean"}),
    prompt_text=_maybe(_TEXT),
    prompt_audio=_maybe(_TEXT),
)
_SPEECH = _object(
    ("input",),
    input={"type": "string", "minLength": 1, "maxLength": 4096},
    voice=_maybe(_TEXT),
    instructions=_maybe(_TEXT),
    response_format=_among("wav", "flac", "mp3", "opus", "pcm", "pcm16"),
    speed={"type": "number", "minimum": 0.25, "maximum": 1.5},
)
_RECORDING = _object(
    ("file",),
    file=_BINARY,
    model=_TEXT,
    language=_TEXT,
    prompt=_TEXT,
    response_format=_among("json", "text"),
    stream=_among("true", "false"),
)
_NEW_VOICE: dict[str, Schema] = {
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "transcript": _TEXT,
    "consent": {"type": "string", "description": "Who agreed that this voice is cloned, and when."},
}
_SECRET = _object(
    expires_after=_maybe(_object(anchor=_among("created_at"), seconds=_whole(10, 7200))),
    session=_maybe(_object(type=_among("realtime", "transcription"))),
)
_MADE_SECRET = _object(("value", "expires_at", "session"), value=_TEXT, expires_at=_whole(0), session=_ANY)
_STATUS = _object(("status",), status=_TEXT)
_JSON, _FORM, _EVENTS = "application/json", "multipart/form-data", "text/event-stream"


def _content(**by_kind: Schema) -> Schema:
    return {"content": {kind: {"schema": schema} for kind, schema in by_kind.items()}}


def _does(
    what: str,
    good: dict[str, dict[str, Schema] | None],
    *refusals: str,
    takes: dict[str, Schema] | None = None,
    path: str | None = None,
) -> Schema:
    """One operation: its answers by status and kind, the statuses it refuses by, the bodies it takes."""
    responses: Schema = {
        status: {"description": "As asked.", **(_content(**kinds) if kinds else {})}
        for status, kinds in good.items()
    }
    for status in refusals:
        responses[status] = {"description": "Refused.", **_content(**{_JSON: _ERROR})}
    made: Schema = {"summary": what, "responses": responses}
    if takes:
        made["requestBody"] = {"required": True, **_content(**takes)}
    if path:
        made["parameters"] = [{"name": path, "in": "path", "required": True, "schema": _TEXT}]
    return made


_KEY = ("401", "403")
_LATER = ("408", "413", "429", "500", "503")
_PATHS: Schema = {
    "/health": {"get": _does("Is the process alive?", {"200": {_JSON: _STATUS}})},
    "/ready": {
        "get": _does("Has the engine spoken?", {"200": {_JSON: _STATUS}, "503": {_JSON: _STATUS}}),
    },
    "/v1/models": {
        "get": _does("The model", {"200": {_JSON: _object(("data",), data=_list(_MODEL))}}, *_KEY, "503"),
    },
    "/v1/models/{model}": {
        "get": _does("The model", {"200": {_JSON: _MODEL}}, *_KEY, "404", "503", path="model"),
    },
    "/v1/chat/completions": {
        "post": _does(
            "One answer, spoken or written",
            {"200": {_JSON: _object(("choices",), choices=_list(_ANY)), _EVENTS: _TEXT}},
            *("400", *_KEY, *_LATER),
            takes={_JSON: _CHAT},
        )
    },
    "/v1/audio/speech": {
        "post": _does(
            "Says a text",
            {"200": {"audio/*": _BINARY}},
            *("400", *_KEY, *_LATER),
            takes={_JSON: _SPEECH},
        )
    },
    "/v1/audio/transcriptions": {
        "post": _does(
            "Writes sound down",
            {"200": {_JSON: _object(("text",), text=_TEXT), "text/plain": _TEXT, _EVENTS: _TEXT}},
            *("400", *_KEY, *_LATER),
            takes={_FORM: _RECORDING},
        )
    },
    "/v1/audio/voices": {
        "get": _does("All voices", {"200": {_JSON: _object(("data",), data=_list(_VOICE))}}, *_KEY, "503"),
        "post": _does(
            "Clones a voice",
            {"201": {_JSON: _VOICE}},
            *("400", *_KEY, "409", *_LATER, "507"),
            takes={
                _FORM: _object(("file", *_NEW_VOICE), file=_BINARY, **_NEW_VOICE),
                _JSON: _object(("audio", *_NEW_VOICE), audio=_TEXT, **_NEW_VOICE),
            },
        ),
    },
    "/v1/audio/voices/{name}": {
        "delete": _does(
            "Removes a voice",
            {"200": {_JSON: _object(("id",), id=_TEXT)}},
            *(*_KEY, "404", "503", "507"),
            path="name",
        )
    },
    "/v1/realtime/client_secrets": {
        "post": _does(
            "A key that expires",
            {"200": {_JSON: _MADE_SECRET}},
            *("400", *_KEY, *_LATER),
            takes={_JSON: _SECRET},
        )
    },
    "/v1/realtime/sessions": {
        "post": _does(
            "The beta's client secret",
            {"200": {_JSON: _object(("client_secret",), client_secret=_ANY)}},
            *("400", *_KEY, *_LATER),
            takes={_JSON: _ANY},
        )
    },
    "/v1/realtime/transcription_sessions": {
        "post": _does(
            "The beta's client secret of a transcription",
            {"200": {_JSON: _object(("client_secret",), client_secret=_ANY)}},
            *("400", *_KEY, *_LATER),
            takes={_JSON: _ANY},
        )
    },
    "/v1/realtime/calls": {
        "post": _does(
            "A WebRTC call: an SDP offer, answered",
            {"201": {"application/sdp": _TEXT}},
            *("400", *_KEY, *_LATER, "501"),
            takes={"application/sdp": _TEXT, _FORM: _object(("sdp",), sdp=_TEXT, session=_TEXT)},
        )
    },
    "/v1/realtime/calls/{call}/hangup": {
        "post": _does("Ends a call", {"200": None}, *_KEY, "404", "503", path="call"),
    },
}


def document() -> Schema:
    """The whole of it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chroma-realtime",
            "version": "1",
            "description": "Beside it, a Realtime WebSocket at /v1/realtime, which OpenAPI has no words for.",
        },
        "paths": _PATHS,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }
