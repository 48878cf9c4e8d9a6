"""How the model is asked to write down what it hears."""

from __future__ import annotations

from engine import Audio, Message, Request, Text, Transcribe

_LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_TASK = (
    "You are a speech recognition model. Write down exactly what is said in the audio, in the language it is"
    " said in, and nothing else. Write nothing where nothing is said."
)


def transcription_request(
    request_id: str, audio: Audio, language: str | None = None, prompt: str | None = None
) -> Request:
    """Ask for the words of one sound.

    Args:
        language: ISO-639-1 code of the language that is spoken.
        prompt: what may be said: names, spellings, the subject.
    """
    task = _TASK
    if language:
        name = _LANGUAGES.get(language.partition("-")[0].lower(), f"the one with the ISO 639 code {language}")
        task += f" The language is {name}."
    if prompt:
        task += f" These words may occur or tell what it is about: {prompt}"
    messages = (
        Message("system", (Text(task),)),
        Message("user", (audio, Text("Write down what is said."))),
    )
    return Request(id=request_id, messages=messages, speak=False, transcribe=Transcribe(language, prompt))
