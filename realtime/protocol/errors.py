"""The protocol's own errors: what was wrong, where, and what would be right."""

from __future__ import annotations

from typing import Any


class ProtocolError(Exception):
    """Something a client sent that cannot be done. The session lives on.

    `code` is OpenAI's where it has one; `param` is the dotted path of the field, None where there is none.
    """

    def __init__(
        self, code: str, message: str, param: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.kind = kind

    def body(self, client_event_id: str | None) -> dict[str, Any]:
        """The `error` object, all five keys always there (strict clients ask for each)."""
        return {
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": client_event_id,
        }


def unsupported(param: str, message: str) -> ProtocolError:
    """A feature of the protocol that this server cannot do yet: refused by name, never ignored."""
    return ProtocolError("unsupported_value", message, param)
