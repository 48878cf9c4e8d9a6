"""The older dialect of the protocol (`OpenAI-Beta: realtime=v1`), translated at the edge.

Only names and nesting differ. What is not understood passes as it is, so that the session refuses it by
the error it has for it.
"""

from __future__ import annotations

from typing import Any

_FORMATS = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_BETA_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}

_SESSION_PATHS = {
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
}
"""Where the flat fields of the beta stand now, in sessions and responses."""
_UNKNOWN_NOW = ("temperature", "client_secret", "id", "object", "expires_at")
_TEMPERATURE = 0.8

_EVENTS = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_NOT_THEN = ("conversation.item.done", "input_audio_buffer.timeout_triggered")
_CONTENT = {"output_text": "text", "output_audio": "audio"}


def incoming(event: dict[str, Any]) -> dict[str, Any]:
    """A client's event in today's words."""
    kind = event.get("type")
    if kind == "session.update" and isinstance(event.get("session"), dict):
        return {**event, "session": session_from_beta(event["session"], "realtime")}
    if kind == "transcription_session.update" and isinstance(event.get("session"), dict):
        session = session_from_beta(event["session"], "transcription")
        return {**event, "type": "session.update", "session": session}
    if kind == "response.create" and isinstance(event.get("response"), dict):
        return {**event, "response": _nested(event["response"])}
    return event


def outgoing(event: dict[str, Any]) -> dict[str, Any] | None:
    """A server's event in the words of the beta; None where it had no such event."""
    kind = event["type"]
    if kind in _NOT_THEN:
        return None
    event = {**event, "type": _EVENTS.get(kind, kind)}
    if "session" in event:
        transcribes = event["session"]["type"] == "transcription"
        event["session"] = session_to_beta(event["session"])
        if transcribes and kind == "session.updated":
            event["type"] = "transcription_session.updated"
            # Only an HTTP answer has one, but the type asks for it.
            event["session"]["client_secret"] = {"value": "", "expires_at": 0}
    if "item" in event:
        event["item"] = _item(event["item"])
    if "response" in event:
        event["response"] = _response(event["response"])
    if kind == "response.function_call_arguments.done":
        del event["name"]
    if kind == "error":
        event["error"] = {**event["error"], "param": _flat_path(event["error"]["param"])}
    return event


def session_from_beta(session: dict[str, Any], kind: str) -> dict[str, Any]:
    """A flat session, nested; `kind` is the type that it has today."""
    return {"type": kind, **_nested(session)}


def session_to_beta(session: dict[str, Any]) -> dict[str, Any]:
    """An effective session, flat."""
    sound_in, sound_out = session["audio"]["input"], session["audio"].get("output")
    flat = {
        "id": session["id"],
        "object": session["object"],
        "expires_at": session["expires_at"],
        "input_audio_format": _BETA_FORMATS[sound_in["format"]["type"]],
        "input_audio_transcription": sound_in["transcription"],
        "input_audio_noise_reduction": sound_in["noise_reduction"],
        "turn_detection": sound_in["turn_detection"],
    }
    if sound_out is None:
        return flat
    choice = session["tool_choice"]
    # The model is left out: the beta has a closed list of them, which this one is not on.
    return flat | {
        "modalities": _modalities(session["output_modalities"]),
        "instructions": session["instructions"],
        "voice": sound_out["voice"],
        "output_audio_format": _BETA_FORMATS[sound_out["format"]["type"]],
        "speed": sound_out["speed"],
        "tools": session["tools"],
        "tool_choice": choice if isinstance(choice, str) else choice["name"],
        "temperature": _TEMPERATURE,
        "max_response_output_tokens": session["max_output_tokens"],
        "tracing": session["tracing"],
    }


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        if key in _UNKNOWN_NOW:
            continue
        if key.endswith("_audio_format") and isinstance(value, str):
            value = _FORMATS.get(value, {"type": value})
        if key == "modalities" and isinstance(value, list) and set(value) == {"text", "audio"}:
            # Sound always comes with its transcript.
            value = ["audio"]
        *parents, name = _SESSION_PATHS.get(key, (key,))
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return nested


def _modalities(modalities: list[str]) -> list[str]:
    return ["text", "audio"] if modalities == ["audio"] else modalities


def _item(item: dict[str, Any]) -> dict[str, Any]:
    if "content" not in item:
        return item
    content = [{**part, "type": _CONTENT.get(part["type"], part["type"])} for part in item["content"]]
    return {**item, "content": content}


def _response(response: dict[str, Any]) -> dict[str, Any]:
    flat = {**response, "output": [_item(item) for item in response["output"]], "temperature": _TEMPERATURE}
    sound = flat.pop("audio")["output"]
    flat["modalities"] = _modalities(flat.pop("output_modalities"))
    flat["voice"] = sound["voice"]
    flat["output_audio_format"] = _BETA_FORMATS[sound["format"]["type"]]
    return flat


def _flat_path(path: str | None) -> str | None:
    """Where the client wrote what is wrong."""
    for flat, parts in _SESSION_PATHS.items():
        for at in ("session", "response"):
            nested = ".".join((at, *parts))
            if path and (path == nested or path.startswith((f"{nested}.", f"{nested}["))):
                return f"{at}.{flat}{path[len(nested) :]}"
    return path
