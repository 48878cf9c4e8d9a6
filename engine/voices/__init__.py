"""Reference voices: what the model speaks like, as folders that a person can read and edit."""

from engine.voices.store import StoredVoice, VoiceStore, default_folder

__all__ = ["StoredVoice", "VoiceStore", "default_folder"]
