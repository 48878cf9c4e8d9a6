"""Chroma's thinker as an SGLang model: Qwen2's sharded layers, with sound in place of some embeddings.

Loaded by SGLang in its schedulers' processes (`SGLANG_EXTERNAL_MODEL_PACKAGE`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from sglang.srt.layers.quantization.base_config import QuantizationConfig
from sglang.srt.managers.mm_utils import general_mm_embed_routine
from sglang.srt.managers.schedule_batch import Modality, MultimodalDataItem, MultimodalInputs
from sglang.srt.model_executor.forward_batch_info import ForwardBatch
from sglang.srt.models.qwen2 import Qwen2ForCausalLM
from sglang.srt.utils import add_prefix
from torch import nn
from transformers import PretrainedConfig

from engine.sglang import rows
from engine.sglang.names import HEAD, LAYERS
from engine.sglang.sound import SoundReader

_PREFIX = "thinker."


class ChromaReasonerForConditionalGeneration(nn.Module):
    """See the module."""

    def __init__(
        self, config: PretrainedConfig, quant_config: QuantizationConfig | None = None, prefix: str = ""
    ) -> None:
        super().__init__()
        self.config = config
        self.language_model = Qwen2ForCausalLM(
            config, quant_config, prefix=add_prefix("language_model", prefix)
        )
        self._sound = SoundReader.of_environment()

    def pad_input_ids(self, input_ids: list[int], mm_inputs: MultimodalInputs) -> list[int]:
        """The processor has put the sound's names in place of the audio tokens already."""
        return input_ids

    def get_audio_feature(self, items: list[MultimodalDataItem]) -> torch.Tensor:
        """Embeddings [n, hidden] of some blocks of sound, one after another, on the model's device."""
        blocks = [self._sound.read(item.slot, item.rows) for item in items]
        table: torch.Tensor = self.language_model.model.embed_tokens.weight
        return torch.cat(blocks).to(table)

    @torch.no_grad()
    def forward(
        self, input_ids: torch.Tensor, positions: torch.Tensor, forward_batch: ForwardBatch, **_: Any
    ) -> Any:
        return general_mm_embed_routine(
            input_ids=input_ids,
            forward_batch=forward_batch,
            language_model=self.language_model,
            data_embedding_funcs={Modality.AUDIO: self.get_audio_feature},
            positions=positions,
        )

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def load_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Take the language model out of a whole Chroma checkpoint."""
        self.language_model.load_weights(
            (name.removeprefix(_PREFIX), tensor)
            for name, tensor in weights
            if name.startswith(LAYERS) or name == HEAD
        )


rows.install()
EntryClass = ChromaReasonerForConditionalGeneration
