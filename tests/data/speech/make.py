"""Makes every recording of this folder, the demo's question, and the voices in the box, with espeak-ng.

    sudo apt-get install espeak-ng
    python tests/data/speech/make.py

The recordings are committed: this is only for making them again, or others like them.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RATE = 24_000
FRAME = 1920

ENGINE = ROOT / "engine"
VOICES = {
    "voices/builtin/espeak": ("en-us", 160, 50),
    "nano/voices/river": ("en-us", 150, 38),
    "nano/voices/ember": ("en-us+Annie", 150, 50),
    "nano/voices/wren": ("en", 150, 80),
}
"""espeak-ng's voice, speed and pitch for each voice that ships; what it says is its transcript."""


def speak(voice: str, speed: int, pitch: int, text: str) -> np.ndarray:
    """float32 [samples] at 24 kHz, without the silence that espeak-ng leaves at its end.

    espeak-ng itself speaks at 22,050 Hz."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path), text]
        subprocess.run(command, check=True)
        sound, rate = soundfile.read(path, dtype="float32")
    heard = np.flatnonzero(np.abs(sound) > 0.005)
    return soxr.resample(sound[: heard[-1] + 1], rate, RATE)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), dtype=np.float32)


def whole_frames(sound: np.ndarray) -> np.ndarray:
    """The sound with silence behind it to whole frames of the model's with one to spare: a codec tells of a
    frame that is cut off what was never heard."""
    return np.pad(sound, (0, 2 * FRAME - len(sound) % FRAME))


def save(path: Path, *pieces: np.ndarray) -> None:
    sound = np.concatenate(pieces)
    soundfile.write(path, np.clip(sound, -1, 1), RATE, subtype="PCM_16")
    print(f"{path.relative_to(ROOT)}: {len(sound) / RATE:.2f} s")


def main() -> None:
    question = speak("en-us", 150, 45, "Hello there. What is a taco made of?")
    second = speak("en-gb", 145, 55, "And how long does it take to cook one at home?")
    long = speak(
        "en-us",
        150,
        40,
        "I was walking along the river this morning, and the water was so high that the path had gone. Why?",
    )
    sum_ = speak("en-us", 150, 45, "What is two plus three?")
    save(HERE / "question.wav", question)
    save(HERE / "question2.wav", second)
    save(HERE / "long.wav", long)
    save(HERE / "two_turns.wav", silence(0.3), question, silence(0.9), second, silence(0.9))
    save(HERE / "sum.wav", sum_)
    save(ROOT / "examples" / "question.wav", silence(0.2), sum_)

    for folder, voice in VOICES.items():
        transcript = (ENGINE / folder / "transcript.txt").read_text(encoding="utf-8").strip()
        save(ENGINE / folder / "sample.wav", whole_frames(speak(*voice, transcript)))


if __name__ == "__main__":
    main()
