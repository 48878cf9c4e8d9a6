"""Logs of both processes in one form: for a person, or a JSON object a line."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any, Literal

Form = Literal["plain", "json"]
FIELDS = "fields"
"""A record's `extra` of this name is a dict of what it is about, such as ids."""


class JsonLines(logging.Formatter):
    """One object a line: `time`, `level`, `process`, `logger`, `message`, then the record's own fields, and
    `error`, a traceback, where there was one."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class PlainLines(logging.Formatter):
    """A line for a person, its fields behind it."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process}%(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        fields = "".join(f" {name}={value}" for name, value in getattr(record, FIELDS, {}).items())
        return super().formatMessage(record) + fields


def configure(form: Form, process: Literal["gateway", "engine", "sglang"]) -> None:
    """All logs of this process go to stderr in this form from now on."""
    handler = logging.StreamHandler(sys.stderr)
    prefix = "" if process == "gateway" else f"{process} "
    handler.setFormatter(JsonLines(process) if form == "json" else PlainLines(prefix))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
