"""The codec of nano, part by part: a wider encoder is the same, a piece of sound is judged rightly."""

import math

import pytest
import torch
from transformers import MimiConfig, MimiModel

from training.codec.codes import MelCodec
from training.codec.decoder import SoundDecoder, hardness, slowed
from training.codec.encoder import SoundEncoder, widened
from training.codec.mel import PhaseLoss, SpectralLoss
from training.codec.outline import Outline, Pieces
from training.shapes import CODEBOOKS, LATENT, SAMPLES_PER_FRAME, codec_config

CPU = torch.device("cpu")
FRAMES = 4


def test_a_wider_encoder_finds_the_same_latents():
    torch.manual_seed(0)
    narrow, mimi = SoundEncoder().eval(), MimiModel(MimiConfig(**codec_config())).eval()
    for part in ("encoder", "encoder_transformer", "downsample"):
        wide = getattr(mimi, part)
        wide.load_state_dict(widened(getattr(narrow, part).state_dict(), wide.state_dict()))
    sound = torch.randn(2, FRAMES * SAMPLES_PER_FRAME)
    with torch.inference_mode():
        states = mimi.encoder_transformer(mimi.encoder(sound[:, None]).transpose(1, 2))[0]
        found = mimi.downsample(states.transpose(1, 2)).transpose(1, 2)
        assert torch.allclose(found, narrow(sound), atol=1e-5)


def test_what_is_trained_is_mimi_s_decoder():
    torch.manual_seed(0)
    codec = MelCodec().eval()
    decoder, mimi = SoundDecoder().eval(), MimiModel(MimiConfig(**codec_config())).eval()
    mimi.quantizer.load_state_dict(codec.quantiser.split.state_dict())
    for part in ("upsample", "decoder_transformer", "decoder"):
        getattr(mimi, part).load_state_dict(getattr(decoder, part).state_dict())
    codes = torch.randint(0, 512, (1, CODEBOOKS, FRAMES))
    with torch.inference_mode():
        latents = mimi.quantizer.decode(codes)
        made, early = decoder(latents)
        assert torch.allclose(made, mimi.decode(codes).audio_values[:, 0], atol=1e-6)
        after, _ = decoder(latents, lead=1)
    assert made.shape == (1, FRAMES * SAMPLES_PER_FRAME)
    assert [each.shape[1] for each in early] == [made.shape[1] // 4, made.shape[1] // 2]
    assert after.shape == (1, (FRAMES - 1) * SAMPLES_PER_FRAME)


def test_the_outline_tells_as_many_frames_as_there_are_codes():
    torch.manual_seed(0)
    outline = Outline(MelCodec().eval()).eval()
    states = torch.randn(2, 2 * FRAMES, LATENT)
    mel, _, _ = outline.told(states)
    pulses, voiced = outline.pulses(states)
    assert mel.shape == (2, FRAMES, 640)
    assert pulses.shape == (2, FRAMES)
    assert 5 <= pulses.min() <= pulses.max() <= 24
    assert voiced.shape == (2, FRAMES, 8)


def test_a_piece_with_more_pulses_is_drawn_more_often():
    share = hardness(torch.tensor([[5, 5, 5], [24, 24, 24]]))
    assert share[1] / share[0] == pytest.approx((24 / 5) ** 1.5)


def test_a_few_windows_at_a_time_tell_as_much_as_all_on_average():
    torch.manual_seed(0)
    loss, one, other = SpectralLoss(CPU), tone(200), tone(300)
    assert loss(one, one) == 0
    every = SpectralLoss(CPU, at_once=5)
    drawn = torch.stack([loss(other, one) for _ in range(400)])
    assert drawn.unique().numel() > 2
    assert drawn.mean() == pytest.approx(float(every(other, one)), rel=0.05)


def tone(hertz, samples=9_600, *, phase=0.0):
    return torch.sin(2 * math.pi * hertz * torch.arange(samples) / 24_000 + phase)[None]


def test_phases_are_told_apart_however_faint():
    loss = PhaseLoss(CPU)
    both = tone(200) + 0.05 * tone(2_000)
    assert loss(both, both) == 0
    assert loss(torch.zeros_like(both), both) == 1
    turned = tone(200) + 0.05 * tone(2_000, phase=math.pi / 2)
    whole = (turned - both).square().sum() / both.square().sum()
    assert loss(turned, both) > 10 * whole
    assert loss(tone(200, phase=math.pi), tone(200)) > 3.5


def test_a_slowed_sound_keeps_what_is_low_and_loses_what_is_high():
    low, high = tone(300), tone(5_000)
    assert torch.allclose(slowed(low + high, 4), low[:, ::4], atol=1e-2)


def test_pieces_are_of_the_corpus_with_some_codes_exchanged():
    frames = torch.arange(1_000)[:, None].repeat(1, CODEBOOKS).numpy()
    drawn = Pieces(frames, 3).draw(16, 10)
    first = drawn[:, 0]
    assert torch.equal(first, first[:, :1] + torch.arange(10))
    share = (drawn != first[:, None]).float().mean((0, 2))
    assert share[0] == 0
    assert 0.05 < share[-1] < 0.4
