"""Fixtures of the engine's tests."""

from pathlib import Path

import pytest
import soundfile
from asking import hum

from engine import EngineSettings


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Five seconds that can be a voice."""
    path = tmp_path / "recording.wav"
    soundfile.write(path, hum(5.0), 24_000, subtype="PCM_16")
    return path


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    """Echo, with no voices but the builtin one."""
    return EngineSettings("echo", voices_dir=tmp_path / "voices")
