"""Long work tells how far it is, and short work tells nothing."""

import pytest

from engine.progress import Progress


@pytest.fixture
def told(caplog):
    """Run some steps of so many seconds each; what the log says of them."""

    def run(steps: int, seconds: float) -> list[str]:
        now = [0.0]
        progress = Progress("reading", steps, clock=lambda: now[0], bar=False)
        with caplog.at_level("INFO", logger="engine.progress"):
            for _ in range(steps):
                now[0] += seconds
                progress.step()
        return [record.getMessage() for record in caplog.records]

    return run


def test_short_work_tells_nothing(told):
    assert told(100, 0.001) == []


def test_long_work_tells_a_line_every_ten_seconds_and_its_end(told):
    assert told(5, 6.0) == ["reading: 2 of 5", "reading: 4 of 5", "reading: done in 30 s"]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("engine.progress._QUIET_S", 0.0)
    progress = Progress("recording", 2, bar=True)
    progress.step()
    progress.step()
    assert "recording" in capsys.readouterr().err
