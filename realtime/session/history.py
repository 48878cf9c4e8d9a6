"""What a client does to the conversation's items: create, retrieve, truncate, delete."""

from __future__ import annotations

from typing import Any

from realtime.audio.formats import SoundDecoder, bytes_per_ms
from realtime.protocol import events
from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids
from realtime.protocol.items import NewAudio, NewCall, NewCallOutput, NewItem, read_item
from realtime.protocol.validation import check
from realtime.session.config import SessionConfig
from realtime.session.content import BYTES_PER_MS, Content, Kind
from realtime.session.conversation import Conversation
from realtime.session.effects import Effect, Forget
from realtime.session.item import CallItem, CallOutputItem, Item, MessageItem
from realtime.session.making import Make


class History:
    """Answers the `conversation.item.*` events, each with its effects or a ProtocolError."""

    def __init__(self, conversation: Conversation, config: SessionConfig, new_id: Ids, make: Make) -> None:
        self._conversation = conversation
        self._config = config
        self._new_id = new_id
        self._make = make
        self.input_format = "audio/pcm"
        """Of the sound in items that the client creates."""

    def create(self, event: dict[str, Any], promised_id: str | None) -> list[Effect]:
        """`conversation.item.create`; `promised_id` is taken already, by a turn that is still spoken."""
        asked = check(events.ItemCreate, event)
        item = self.read(asked.item, "item")
        self._conversation.check_room()
        return self._added(item, self._conversation.add(item, asked.previous_item_id, promised_id))

    def retrieve(self, event: dict[str, Any]) -> list[Effect]:
        """`conversation.item.retrieve`."""
        item = self._conversation.get(check(events.ItemRef, event).item_id, "retrieve")
        return [self._make("conversation.item.retrieved", item=item.describe(with_audio=True))]

    def truncate(self, event: dict[str, Any]) -> list[Effect]:
        """`conversation.item.truncate`."""
        asked = check(events.ItemTruncate, event)
        item = self._conversation.get(asked.item_id, "truncate")
        content = item.content if isinstance(item, MessageItem) else []
        if asked.content_index >= len(content):
            last = f"the item has {len(content)} content parts"
            raise ProtocolError("invalid_value", f"Invalid 'content_index': {last}.", "content_index")
        part = content[asked.content_index]
        if part.kind != "output_audio":
            message = "Only model output audio messages can be truncated."
            raise ProtocolError("unsupported_content_type", message, "content_index")
        return self._truncated(part, asked.item_id, asked.content_index, asked.audio_end_ms)

    def heard_until(self, item_id: str, content_index: int, audio_end_ms: int) -> list[Effect]:
        """The player stopped here, in an item that may be gone by now."""
        item = self._conversation.find(item_id)
        if not isinstance(item, MessageItem) or content_index >= len(item.content):
            return []
        return self._truncated(item.content[content_index], item_id, content_index, audio_end_ms)

    def _truncated(self, part: Content, item_id: str, index: int, audio_end_ms: int) -> list[Effect]:
        part.truncate(audio_end_ms)
        where = {"item_id": item_id, "content_index": index, "audio_end_ms": audio_end_ms}
        return [self._make("conversation.item.truncated", **where)]

    def delete(self, event: dict[str, Any]) -> list[Effect]:
        """`conversation.item.delete`."""
        item = self._conversation.delete(check(events.ItemRef, event).item_id)
        deleted = self._make("conversation.item.deleted", item_id=item.id)
        return [deleted, Forget(item.audio_ids())] if item.audio_ids() else [deleted]

    def commit(self, item_id: str, pcm: bytes, audio_id: str | None = None) -> list[Effect]:
        """The user's sound becomes the last item. There has to be room for it. `audio_id`: under which the
        engine has heard some of it."""
        item = MessageItem(item_id, "user", [self._sound(pcm, None, audio_id)])
        previous = self._conversation.add(item)
        committed = self._make("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        return [committed, *self._added(item, previous)]

    def _added(self, item: Item, previous: str | None) -> list[Effect]:
        """An item that is there all at once."""
        shown = item.describe()
        added: list[Effect] = [
            self._make(kind, previous_item_id=previous, item=shown)
            for kind in ("conversation.item.added", "conversation.item.done")
        ]
        most = int(self._config.max_audio_s * 1000) * BYTES_PER_MS
        forgotten = self._conversation.let_go_of_sound(most, item)
        return [*added, Forget(forgotten)] if forgotten else added

    def read(self, raw: dict[str, Any], at: str) -> Item:
        """An item that a client wrote, at this path of its event; it is in no conversation yet."""
        return self._item(read_item(raw, self._decode, at))

    def _item(self, new: NewItem) -> Item:
        item_id = new.id or self._new_id("item")
        if isinstance(new, NewCall):
            return CallItem(item_id, new.call_id or self._new_id("call"), new.name, new.arguments)
        if isinstance(new, NewCallOutput):
            return CallOutputItem(item_id, new.call_id, new.output)
        words: Kind = "output_text" if new.role == "assistant" else "input_text"
        content = [
            self._sound(part.pcm, part.transcript)
            if isinstance(part, NewAudio)
            else Content(words, part.text)
            for part in new.content
        ]
        return MessageItem(item_id, new.role, content)

    def _sound(self, pcm: bytes, transcript: str | None, audio_id: str | None = None) -> Content:
        audio_id = audio_id or self._new_id("audio")
        return Content("input_audio", transcript, pcm, audio_id, format=self.input_format)

    def _decode(self, audio: Any, param: str) -> bytes:
        config = self._config
        longest = int(config.max_buffer_s * 1000) * bytes_per_ms(self.input_format)
        sound = events.decode_audio(audio, param, min(longest, config.max_append_bytes))
        if self.input_format == "audio/pcm" and len(sound) % 2:
            sound = b""
        decoder = SoundDecoder(self.input_format)
        if pcm := decoder.add(sound) + decoder.flush():
            return pcm
        raise ProtocolError(
            "invalid_value",
            f"'{param}' holds a whole number of samples in {self.input_format}, at least one.",
            param,
        )
