"""The track that plays answers: what is dropped, and how far each had come."""

import pytest

pytest.importorskip("aiortc")

from realtime.server.webrtc.player import PlayerTrack
from realtime.session.effects import SendAudio

TWENTY_MS = bytes(range(1, 241)) * 4


def sound(response, packets=3):
    return SendAudio("event", response, f"item of {response}", 0, 0, TWENTY_MS * packets)


class Told:
    def __init__(self):
        self.events = []
        self.track = PlayerTrack(
            lambda response: self.events.append(("started", response)),
            lambda response: self.events.append(("stopped", response)),
            lambda *where: self.events.append(("cleared", *where)),
        )

    def take(self, packets):
        return [self.track._take() for _ in range(packets)]


def test_one_answer_after_another():
    told = Told()
    told.track.play(sound("a"))
    told.track.end("a")
    told.track.play(sound("b"))
    assert told.take(4) == [TWENTY_MS] * 4
    assert told.events == [("started", "a"), ("stopped", "a"), ("started", "b")]


def test_clearing_drops_what_waits_behind_what_is_played_too():
    told = Told()
    told.track.play(sound("a"))
    told.track.end("a")
    told.track.play(sound("b"))
    told.take(2)
    told.events.clear()
    told.track.clear()
    assert told.events == [("cleared", "a", "item of a", 0, 40), ("cleared", "b", "item of b", 0, 0)]
    told.track.play(sound("b"))
    assert told.take(1) == [bytes(960)], "the rest of what was dropped is not played"
    told.track.play(sound("c"))
    assert told.take(1) == [TWENTY_MS]
    told.track.clear()
    told.track.clear()
    assert [event[:2] for event in told.events[2:]] == [("started", "c"), ("cleared", "c")]
