"""Whisper as a transcriber: what transformers itself would write, hints passed on, failures told."""

import asyncio
import json

import numpy as np
import pytest
import soundfile
import soxr
import torch
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

from engine import Audio, EngineError, EngineSettings, Finished, Message, Request, Text, TextDelta, Transcribe
from engine.factory import create
from engine.process import ProcessEngine
from engine.whisper import WhisperEngine

SPECIAL = [
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|tranwren|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nocaptions|>", "<|notimestamps|>",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny Whisper with random weights, in the form of a published one."""
    folder = tmp_path_factory.mktemp("whisper")
    vocabulary = {letter: number for number, letter in enumerate([*bytes_to_unicode().values(), *SPECIAL])}
    tokenizer = WhisperTokenizer(
        vocab=vocabulary, merges=[], unk_token=SPECIAL[0], bos_token=SPECIAL[0], eos_token=SPECIAL[0],
        additional_special_tokens=SPECIAL[1:],
    )  # fmt: skip
    WhisperProcessor(WhisperFeatureExtractor(feature_size=80), tokenizer).save_pretrained(folder)
    number = tokenizer.convert_tokens_to_ids
    torch.manual_seed(7)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer), d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=64,
            encoder_attention_heads=2, decoder_attention_heads=2, decoder_ffn_dim=64, max_target_positions=96,
            decoder_start_token_id=number("<|startoftranscript|>"), eos_token_id=number("<|endoftext|>"),
            pad_token_id=number("<|endoftext|>"), bos_token_id=number("<|endoftext|>"),
        )
    )  # fmt: skip
    published = {
        "is_multilingual": True,
        "lang_to_id": {"<|en|>": number("<|en|>"), "<|de|>": number("<|de|>")},
        "task_to_id": {"transcribe": number("<|transcribe|>"), "tranwren": number("<|tranwren|>")},
        "no_timestamps_token_id": number("<|notimestamps|>"),
        "prev_sot_token_id": number("<|startofprev|>"),
        "max_length": 60,
        # Never the end: random weights may end at once, and nothing written is nothing compared.
        "suppress_tokens": [number(token) for token in SPECIAL],
        "begin_suppress_tokens": None,
    }
    model.save_pretrained(folder)
    file = folder / "generation_config.json"
    written = json.loads(file.read_text()) | published
    # Published ones are not derived from the model's configuration; what is so marked is derived anew.
    del written["_from_model_config"]
    file.write_text(json.dumps(written))
    return folder


def sound(name="question"):
    return soundfile.read(f"tests/data/speech/{name}.wav", dtype="int16")[0]


def asked(pcm, **hints):
    messages = (Message("user", (Audio("a", pcm.tobytes()), Text("Write it down."))),)
    return Request("r", messages, speak=False, transcribe=Transcribe(**hints))


def ask(folder, request, make=WhisperEngine):
    async def main():
        engine = make(EngineSettings(model=f"whisper:{folder}", device="cpu"))
        await engine.open()
        try:
            return [event async for event in engine.respond(request)]
        finally:
            await engine.close()

    return asyncio.run(main())


def words(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def expected(folder, pcm, **options):
    processor = WhisperProcessor.from_pretrained(folder)
    model = WhisperForConditionalGeneration.from_pretrained(folder)
    heard = soxr.resample(pcm.astype(np.float32) / 32768, 24_000, 16_000)
    features = processor(heard, sampling_rate=16_000, return_tensors="pt").input_features
    ids = model.generate(features, task="transcribe", **options)[0]
    return processor.decode(ids, skip_special_tokens=True), len(ids)


@pytest.mark.parametrize("make", [WhisperEngine, ProcessEngine])
def test_it_writes_what_transformers_would(folder, make):
    text, tokens = expected(folder, sound(), language="en")
    events = ask(folder, asked(sound(), language="en"), make)
    assert text.strip()
    assert words(events) == text.strip()
    assert events[-1].reason == "completed"
    assert events[-1].usage.output_text_tokens == tokens


def test_long_sound_is_written_piece_by_piece(folder):
    long = np.concatenate([sound("long")] * 6)
    events = ask(folder, asked(long, language="en"))
    assert len(long) > 30 * 24_000
    whole, _ = expected(folder, long[: 30 * 24_000], language="en")
    assert words(events).startswith(whole.strip()[:5])
    assert len([event for event in events if isinstance(event, TextDelta)]) == 2


def test_a_hint_reaches_the_model(folder):
    assert ask(folder, asked(sound(), language="en", prompt="Ada"))[-1].reason == "completed"


def test_a_language_that_it_does_not_know_fails_alone(folder):
    (_, failed) = ask(folder, asked(sound(), language="zz"))
    assert (failed.reason, failed.code) == ("failed", "transcription_failed")


def test_it_does_nothing_else(folder):
    request = Request("r", (Message("user", (Text("Hi"),)),))
    assert ask(folder, request) == [
        Finished("failed", code="transcription_only", message=f"whisper:{folder} only writes down sound")
    ]


def test_a_folder_without_a_model_is_one_line(tmp_path):
    engine = create(EngineSettings(model=f"whisper:{tmp_path}", in_process=True))
    assert isinstance(engine, WhisperEngine)
    with pytest.raises(EngineError, match="holds no Whisper model") as caught:
        asyncio.run(engine.open())
    assert "\n" not in caught.value.message
