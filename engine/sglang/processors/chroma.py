"""The sound of a request as SGLang takes it: names of blocks in place of audio tokens, and where they lie.

Loaded by SGLang in the host's process (`SGLANG_EXTERNAL_MM_PROCESSOR_PACKAGE`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sglang.srt.managers.schedule_batch import Modality, MultimodalDataItem, MultimodalProcessorOutput
from sglang.srt.multimodal.processors.base_processor import BaseMultimodalProcessor

from engine.sglang.messages import Block
from engine.sglang.models.chroma import ChromaReasonerForConditionalGeneration
from engine.sglang.names import AUDIO_TOKEN


class ChromaProcessor(BaseMultimodalProcessor):
    """Takes token ids and blocks as they are: nothing is left to process."""

    models = (ChromaReasonerForConditionalGeneration,)
    prefer_tokenized_input = True

    async def process_mm_data_async(
        self, image_data: Any, audio_data: Sequence[Block], input_text: Sequence[int], **_: Any
    ) -> MultimodalProcessorOutput:
        """`input_text`: token ids [T]; `audio_data`: the blocks of sound among them, in order."""
        padded = list(input_text)
        for block in audio_data:
            padded[block.start : block.start + block.rows] = [block.name] * block.rows
        items = [
            MultimodalDataItem(
                modality=Modality.AUDIO,
                hash=block.name,
                pad_value=block.name,
                offsets=[(block.start, block.start + block.rows - 1)],
                model_specific_data={"slot": block.slot, "rows": block.rows},
            )
            for block in audio_data
        ]
        return MultimodalProcessorOutput(
            mm_items=items,
            input_ids=list(input_text),
            padded_input_ids=padded,
            audio_token_id=getattr(self.hf_config, AUDIO_TOKEN),
        )
