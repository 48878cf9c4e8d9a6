"""Sessions are recorded where that is asked for, and can be held again."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from caller import SILENCE, connect, recording, sound
from serving import app

from engine import EngineError, EngineSettings
from engine.echo import EchoEngine
from realtime.bench.replay import Names
from realtime.server import cli
from realtime.server.observe.recording import Recorder


def record(folder: Path) -> Path:
    """A conversation in which the client speaks of what the server has named."""

    async def talk(url: str) -> bytes:
        async with connect(url) as caller:
            await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 400})
            await caller.append(recording("question") + SILENCE)
            done = (await caller.until("response.done"))[-1]
            spoken = sound(caller.events)
            (item,) = done.response.output
            await caller.do.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=200)
            await caller.until("conversation.item.truncated")
            await caller.refused("response.cancel", response_id="resp_unknown")
            await caller.do.send_raw("no json")
            assert (await caller.next()).error.code == "invalid_json"
            return spoken

    with app(EchoEngine(EngineSettings(model="echo")), record=folder) as url:
        spoken = asyncio.run(talk(url))
    assert spoken
    (path,) = folder.iterdir()
    return path


def test_a_session_is_recorded_whole(tmp_path):
    path = record(tmp_path / "kept")
    assert path.stat().st_mode & 0o777 == 0o600
    head, *lines = map(json.loads, path.read_text().splitlines())
    assert head["recording"] == 1
    assert path.name == f"{head['session']}.jsonl"
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    first = lines[0]
    assert (first["from"], first["event"]["type"]) == ("server", "session.created")
    assert first["event"]["session"]["id"] == head["session"]
    by: dict[str, list[str]] = {"client": [], "server": []}
    for line in lines:
        by[line["from"]].append(line["event"]["type"] if "event" in line else line["frame"])
    assert by["client"][0] == "session.update"
    assert by["client"].count("input_audio_buffer.append") > 50
    assert by["client"][-1] == "no json"
    assert by["server"][-2:] == ["error", "error"]
    assert "response.output_audio.delta" in by["server"]


def test_nothing_is_recorded_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        asyncio.run(_hello(url))
    assert list(tmp_path.iterdir()) == []


async def _hello(url: str) -> None:
    async with connect(url) as caller:
        await caller.say("hello")


def test_a_recorded_session_is_held_again(tmp_path, capsys):
    path = record(tmp_path / "kept")
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        assert cli.main(["replay", str(path), url, "--speed", "4"]) == 0
        metrics = httpx.get(f"{url.replace('ws', 'http', 1)}/metrics").text
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    # The item that the client truncates has another name now, and the server knew it.
    assert ["conversation.item.truncated", "1", "1"] in said
    assert ["responses", "completed", "completed"] in said
    assert ["error", "2", "2"] in said
    assert 'chroma_realtime_responses_total{route="realtime",status="completed"} 1.0' in metrics


def test_a_server_that_answers_otherwise_is_told(tmp_path, capsys):
    path = record(tmp_path / "kept")
    text = path.read_text().replace('"status":"completed"', '"status":"incomplete"')
    path.write_text(text)
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        assert cli.main(["replay", str(path), url, "--speed", "8"]) == 1
    assert "incomplete" in capsys.readouterr().out


def test_a_file_that_is_no_recording(tmp_path, capsys):
    path = tmp_path / "notes.jsonl"
    path.write_text('{"a": 1}\n')
    assert cli.main(["replay", str(path), "127.0.0.1:9"]) == 2
    assert "is no recording" in capsys.readouterr().err
    path.write_text('{"recording": 1}\nbroken\n{}\n')
    assert cli.main(["replay", str(path), "127.0.0.1:9"]) == 2
    assert "line 2: not JSON" in capsys.readouterr().err
    assert cli.main(["replay", str(tmp_path / "none"), "127.0.0.1:9"]) == 2


def test_names_go_by_their_place():
    then, now = Names(), Names()
    then.sent('{"item": {"id": "item_mine"}}')
    then.heard('{"item_id": "item_a", "previous_item_id": "item_mine"}')
    then.heard('{"item_id": "item_b", "response_id": "resp_a"}')
    now.sent('{"item": {"id": "item_mine"}}')
    now.heard('{"item_id": "item_x", "previous_item_id": "item_mine"}')
    assert now.at(then.places["item_a"]) == "item_x"
    assert now.at(then.places["item_b"]) is None
    assert "item_mine" not in then.places


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match=r"--record .*file"):
        Recorder(tmp_path / "file" / "kept")


def test_a_full_disk_ends_the_recording_and_not_the_session(tmp_path, caplog):
    recorder = Recorder(tmp_path)
    # Every write to it fails as on a full disk.
    (tmp_path / "sess_1.jsonl").symlink_to("/dev/full")
    recording = recorder.begin("sess_1", "echo")
    recording.received('{"type": "x"}')
    recording.end()
    other = recorder.begin("sess_2", "echo")
    other.received(b"\\0")
    other.received("[]")
    other.end()
    recorder.close()
    assert "sess_1.jsonl ends here" in caplog.text
    lines = (tmp_path / "sess_2.jsonl").read_text().splitlines()
    assert [sorted(json.loads(line))[1:] for line in lines[1:]] == [["binary", "from"], ["frame", "from"]]


def test_an_event_is_kept_as_it_was_written_however_deep(tmp_path):
    recorder = Recorder(tmp_path)
    recording = recorder.begin("sess_1", "m")
    deep = "[" * 500 + "]" * 500
    recording.received(f'{{\n"type": "x",\r\n"deep": {deep}}}')
    recording.end()
    recorder.close()
    _, line = (tmp_path / "sess_1.jsonl").read_text().splitlines()
    assert json.loads(line)["event"] == {"type": "x", "deep": json.loads(deep)}


def test_a_recording_ends_where_more_would_wait_for_the_disk_than_may(tmp_path, monkeypatch):
    monkeypatch.setattr("realtime.server.observe.recording._MOST_WAITING", 1000)
    recorder = Recorder(tmp_path)
    recording = recorder.begin("sess_1", "m")
    recording.sent(json.dumps("x" * 1000))
    recording.sent('"short"')
    recording.end()
    other = recorder.begin("sess_2", "m")
    other.end()
    recorder.close()
    assert len((tmp_path / "sess_1.jsonl").read_text().splitlines()) == 1
    assert (tmp_path / "sess_2.jsonl").read_text()
