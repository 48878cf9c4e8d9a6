"""All who watch a gateway's sessions: what is counted, logged, traced and recorded."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.server.observe.metrics import Metrics
from realtime.server.observe.recording import Recorder
from realtime.server.observe.session_log import LogEvents
from realtime.server.observe.traces import Traces
from realtime.server.settings import ServerSettings


@dataclass(frozen=True, slots=True)
class Observers:
    """`log_events` as for `SessionLog`; `traces` and `recorder` are None where they are not asked for."""

    metrics: Metrics
    log_events: LogEvents = "off"
    traces: Traces | None = None
    recorder: Recorder | None = None

    @classmethod
    def of(cls, settings: ServerSettings, model: str) -> Observers:
        """Those that the settings ask for.

        Raises:
            EngineError: `not_installed` or `invalid_setting`.
        """
        return cls(
            Metrics(),
            settings.log_events,
            Traces.to_collector(model) if settings.traces else None,
            Recorder(settings.record) if settings.record else None,
        )

    def close(self) -> None:
        """Keep what is not kept yet."""
        if self.traces:
            self.traces.close()
        if self.recorder:
            self.recorder.close()
