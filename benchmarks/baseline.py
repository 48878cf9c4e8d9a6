"""The alternative to measure against: the same answer through transformers' own generate loop.

This is how the published implementation works (one request at a time, `generate` for the seven codebooks
of every frame, a Mimi that decodes whole pieces), written with transformers' classes and caches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache, GenerationMixin, LlamaConfig, LlamaModel, LlamaPreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniThinkerTextModel

from engine.chroma.config import StackConfig
from engine.chroma.model import ChromaModel
from engine.chroma.modules import load_pretrained
from engine.chroma.reasoner import ReasonerPrompt
from engine.chroma.thinker import HEAD
from engine.runtime.job import Job

CODEC_GROUP = 4
"""Frames that are decoded to sound at a time."""


class _Decoder(LlamaPreTrainedModel, GenerationMixin):
    """Codebooks 1 to 7 of one frame as tokens of a causal language model."""

    def __init__(self, config: LlamaConfig, chroma: ChromaModel) -> None:
        super().__init__(config)
        frames = chroma.speaker.frames
        self.model = _llama(config, frames.decoder.model.state_dict())
        self.projection = frames.decoder.projection
        self.heads = frames.decoder.codebook_head.weight
        self.table = frames.table
        self.vocab = chroma.config.decoder.vocab

    def forward(
        self,
        input_ids: torch.Tensor,
        hidden: torch.Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        position_ids: torch.Tensor | None = None,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        assert past_key_values is not None
        assert position_ids is not None
        past = past_key_values.get_seq_length()
        codebook = max(past - 1, 0)
        x = nn.functional.embedding(input_ids[:, -1:] + codebook * self.vocab, self.table)
        if hidden is not None and past == 0:
            x = torch.cat((hidden[:, None], x), dim=1)
        out = self.model(
            inputs_embeds=self.projection(x),
            past_key_values=past_key_values,
            position_ids=position_ids[:, -1:],
            use_cache=True,
        )
        logits = out.last_hidden_state[:, -1:] @ self.heads[codebook]
        return CausalLMOutputWithPast(logits=logits, past_key_values=out.past_key_values)


def _config(stack: StackConfig) -> LlamaConfig:
    rope = stack.rope
    scaled = {
        "factor": rope.factor,
        "low_freq_factor": rope.low_freq_factor,
        "high_freq_factor": rope.high_freq_factor,
        "original_max_position_embeddings": rope.original_positions,
    }
    return LlamaConfig(
        num_hidden_layers=stack.layers,
        hidden_size=stack.hidden,
        intermediate_size=stack.ffn,
        num_attention_heads=stack.heads,
        num_key_value_heads=stack.kv_heads,
        head_dim=stack.head_dim,
        rms_norm_eps=stack.eps,
        max_position_embeddings=stack.positions,
        vocab_size=stack.vocab,
        # Its default is 2, a code like any other here.
        eos_token_id=None,
        rope_parameters={
            "rope_type": rope.kind,
            "rope_theta": rope.theta,
            **(scaled if rope.kind == "llama3" else {}),
        },
    )


def _llama(config: LlamaConfig, weights: dict[str, torch.Tensor]) -> LlamaModel:
    model = LlamaModel(config)
    model.embed_tokens = nn.Identity()
    # The rotary frequencies are no weights, and stay what they are.
    model.load_state_dict(weights, assign=True)
    return model.to(next(iter(weights.values())).device).eval().requires_grad_(False)


class _Text:
    """The Reasoner's language model with a cache of its own: greedy text, token by token."""

    def __init__(self, chroma: ChromaModel) -> None:
        speaker = chroma.speaker
        config = Qwen2_5OmniThinkerConfig(**chroma.config.thinker).text_config
        self._model = load_pretrained(
            Qwen2_5OmniThinkerTextModel,
            config,
            chroma.checkpoint,
            "thinker.model.",
            speaker.frames.dtype,
            speaker.device,
        )
        self._table = self._model.embed_tokens.weight
        found = chroma.checkpoint.read(HEAD, speaker.frames.dtype, speaker.device)
        self._head = next(iter(found.values()), self._table)
        self._audio_token = chroma.config.audio_token

    def pairs(self, prompt: ReasonerPrompt) -> Iterator[tuple[torch.Tensor, bool]]:
        """What the Backbone hears of each token [2, hidden], and whether the token ends the text."""
        ids = torch.tensor(prompt.ids, device=self._table.device)
        x, cache = self._table[ids], DynamicCache()
        if prompt.sound is not None:
            x[ids == self._audio_token] = prompt.sound.to(x.dtype)
        token = None
        while token != prompt.im_end:
            out = self._model(inputs_embeds=x[None], past_key_values=cache, use_cache=True)
            hidden = out.last_hidden_state[0, -1]
            token = int((self._head @ hidden).argmax())
            x = self._table[token][None]
            yield torch.cat((hidden[None], x)), token == prompt.im_end


class Baseline:
    """Answers one job at a time, greedy."""

    def __init__(self, chroma: ChromaModel) -> None:
        self._chroma = chroma
        self._frames = chroma.speaker.frames
        self._backbone = _llama(_config(chroma.config.backbone), self._frames.backbone.model.state_dict())
        self._decoder = _Decoder(_config(chroma.config.decoder), chroma).eval()
        self._text = _Text(chroma)

    @torch.inference_mode()
    def answer(self, job: Job, voice: torch.Tensor) -> tuple[list[list[int]], torch.Tensor]:
        """The frames of a job [frames, 8] and their sound [samples].

        Args:
            voice: embeddings of the voice prompt [positions, hidden].
        """
        chroma, cache = self._chroma, DynamicCache()
        pairs = self._text.pairs(job.prompt)
        x, text_over, wants = voice, False, True
        codes: list[list[int]] = []
        sound: list[torch.Tensor] = []
        while len(codes) < job.max_frames:
            if wants and not text_over:
                pair, text_over = next(pairs)
                x = torch.cat((x, pair))
            wants = not wants
            heard = self._backbone(inputs_embeds=x[None], past_key_values=cache, use_cache=True)
            hidden = heard.last_hidden_state[:, -1]
            first = self._frames.backbone.codebook0_head(hidden).argmax(-1, keepdim=True)
            frame = self._decoder.generate(
                first,
                hidden=hidden,
                max_new_tokens=chroma.config.codebooks - 1,
                do_sample=False,
                use_cache=True,
                past_key_values=DynamicCache(),
            )
            codes.append(frame[0].tolist())
            x = self._frames.embed_frames(frame)
            if len(codes) % CODEC_GROUP == 0:
                sound.append(self._decode(codes[-CODEC_GROUP:]))
        if rest := len(codes) % CODEC_GROUP:
            sound.append(self._decode(codes[-rest:]))
        return codes, torch.cat(sound)

    def _decode(self, codes: list[list[int]]) -> torch.Tensor:
        group = torch.tensor(codes, device=self._chroma.speaker.device).T[None]
        mimi = self._chroma.speaker.mimi
        return mimi.decode(group.clamp_max(mimi.config.codebook_size - 1)).audio_values[0, 0]
