"""A model of random weights is a model in all but its words: it runs from the prompt to the sound."""

import asyncio

import pytest
import torch

from engine.api import Audio, AudioDelta, EngineError, Finished, Message, Request, Text
from engine.chroma.engine import ChromaEngine
from engine.chroma.model import load_model
from engine.chroma.random_weights import byte_tokenizer, random_config
from engine.chroma.shapes import SHAPES
from engine.settings import EngineSettings


@pytest.mark.parametrize("text", ["Grüße, 世界", "<|im_end|>", "a\n\tb"])
def test_the_tokenizer_says_every_text_again(text):
    tokenizer = byte_tokenizer()
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_the_published_size():
    """Parameters that a frame reads, as the model's own description counts them (bf16)."""
    sizes = SHAPES["chroma-4b"]
    back, text = sizes["backbone_config"], sizes["text_config"]

    def layer(stack):
        width, head = stack["hidden_size"], stack["hidden_size"] // stack["num_attention_heads"]
        attention = 2 * width * width + 2 * width * stack["num_key_value_heads"] * head
        return attention + 3 * width * stack["intermediate_size"]

    assert back["num_hidden_layers"] * layer(back) * 2 == pytest.approx(1.95e9, rel=0.01)
    reasoner = text["num_hidden_layers"] * layer(text) + text["vocab_size"] * text["hidden_size"]
    assert reasoner * 2 == pytest.approx(6.2e9, rel=0.02)


def test_it_answers_a_spoken_question_with_sound():
    async def main():
        settings = EngineSettings("random:chroma-mid", device="cpu", slots=1, max_seconds=0.5, context=512)
        engine = ChromaEngine(settings)
        await engine.open()
        try:
            parts = (Text("Hello"), Audio("a", bytes(48_000)))
            return [event async for event in engine.respond(Request("r", (Message("user", parts),)))]
        finally:
            await engine.close()

    events = asyncio.run(main())
    assert isinstance(events[-1], Finished)
    assert (events[-1].reason, events[-1].usage.input_audio_tokens) == ("length", 25)
    assert sum(len(event.pcm) for event in events if isinstance(event, AudioDelta)) == 6 * 1920 * 2


def test_a_size_that_is_not_there_is_one_clear_line():
    with pytest.raises(EngineError) as caught:
        load_model("random:chroma-9b", slots=1, top_k=50, device=torch.device("cpu"), dtype=torch.float32)
    assert caught.value.message.endswith("only chroma-4b, chroma-mid")


def test_special_tokens_are_the_tokenizers_own():
    tokenizer = byte_tokenizer()
    config = random_config("chroma-4b", tokenizer)
    assert tokenizer.convert_ids_to_tokens(config["im_end_token_id"]) == "<|im_end|>"
    assert tokenizer.convert_ids_to_tokens(config["thinker_config"]["audio_token_index"]) == "<|AUDIO|>"
