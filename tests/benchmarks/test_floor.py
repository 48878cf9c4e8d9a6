"""Bytes of a frame, counted by hand from the golden checkpoint's config.json."""

import pytest
import torch
from safetensors import safe_open

from benchmarks.floor import cache_bytes, frame_bytes, read_bandwidth
from benchmarks.parts import Steps
from engine.chroma.graphs import Graphs
from engine.chroma.model import ChromaModel, load_model

CPU = torch.device("cpu")
# q, k, v, o, the three of the feed-forward, two norms; then the last norm and the head. float32.
BACKBONE = 4 * (3 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64 + 64 * 67)
PASS = 4 * (2 * (48 * 48 + 2 * 48 * 24 + 48 * 48 + 3 * 48 * 96 + 2 * 48) + 48 + 64 * 48)
HEADS = 4 * 7 * 48 * 67
BACKBONE_POSITION = 4 * 2 * 3 * 2 * 16
CODEC_POSITION = 4 * 2 * 2 * 4 * 12


@pytest.fixture(scope="module")
def chroma(golden) -> ChromaModel:
    return load_model(golden, slots=3, top_k=50, device=CPU, dtype=torch.float32, context=512)


def test_weights_are_read_once_but_the_decoders_for_each_codebook(chroma, golden):
    alone = frame_bytes(chroma.speaker, rows=1, positions=100, frames=30, cache=0)
    assert alone.backbone == BACKBONE
    assert alone.decoder == 7 * PASS + HEADS
    with safe_open(golden / "model.safetensors", "pt") as file:
        kinds = ("codec_model.upsample.", "codec_model.decoder_transformer.", "codec_model.decoder.")
        shapes = [file.get_slice(name).get_shape() for name in file.keys() if name.startswith(kinds)]  # noqa: SIM118
    assert alone.codec == 4 * sum(torch.Size(shape).numel() for shape in shapes)
    assert alone.total == alone.backbone + alone.decoder + alone.codec + alone.keys


def test_a_decoder_that_fits_the_cache_is_read_once(chroma):
    def decoder(cache: int) -> int:
        return frame_bytes(chroma.speaker, rows=1, positions=1, frames=1, cache=cache).decoder

    assert decoder(PASS) == PASS + HEADS
    assert decoder(PASS - 1) == 7 * PASS + HEADS


def test_keys_grow_with_the_batch_and_the_codecs_up_to_its_window(chroma):
    def keys(rows: int, frames: int) -> int:
        return frame_bytes(chroma.speaker, rows=rows, positions=100, frames=frames, cache=0).keys

    assert keys(1, 30) == 100 * BACKBONE_POSITION + 60 * CODEC_POSITION
    assert keys(3, 30) == 3 * keys(1, 30)
    assert keys(1, 1000) == keys(1, 125) == 100 * BACKBONE_POSITION + 250 * CODEC_POSITION


def test_what_the_device_reads_is_measured():
    assert read_bandwidth(CPU, 1 << 22) > 0
    assert cache_bytes(CPU) >= 0


def test_the_parts_of_a_step_are_called_as_the_step_calls_them(chroma):
    """The recorder here keeps the step: it shows that the eager path is timed beside it."""
    speaker, before = chroma.speaker, chroma.speaker.graphs
    voice = chroma.voice_prompt([1, 2, 3], torch.zeros(4, 8, dtype=torch.int64))
    steps = Steps(speaker, voice, frames=4, repeats=1, recorder=lambda step: (step, step()))
    calls = steps.calls(2)
    # Two steps: the stack and its head; seven passes of projection and stack; one frame of sound.
    assert {name: len(each) for name, each in calls.items()} == {"backbone": 4, "decoder": 28, "codec": 2}
    with torch.inference_mode():
        assert calls["backbone"][1]().shape == (2, 67)
        assert calls["decoder"][27]().shape == (2, 67)
        assert calls["codec"][1]().shape == (2, 1920)
    times = steps.times(2)
    assert times.eager is not None
    assert times.rest == pytest.approx(times.step - times.backbone - times.decoder - times.codec)
    assert speaker.graphs is before
    assert Steps(speaker, voice, frames=2, repeats=1, recorder=None).times(1).eager is None
    assert isinstance(before, Graphs)
