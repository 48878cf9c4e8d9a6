"""From what a person types to where a server is asked."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit, urlunsplit


def socket_url(given: str, model: str) -> str:
    """The WebSocket of a server: `host:8000`, `http://host`, `ws://host/v1` and `wss://host/v1/realtime?…`
    all will do. A model is added where the URL names none."""
    scheme, host, path, query, _ = urlsplit(given if "://" in given else f"ws://{given}")
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    path = path.rstrip("/")
    if not path.endswith("/realtime"):
        path = f"{path or '/v1'}/realtime"
    if "model=" not in query:
        query = f"{query}&model={model}" if query else f"model={model}"
    return urlunsplit((scheme, host, path, query, ""))


def metrics_url(socket: str) -> str:
    """Where the server of a WebSocket may show its metrics."""
    scheme, host, path, _, _ = urlsplit(socket)
    prefix = path.removesuffix("/realtime").removesuffix("/v1")
    return urlunsplit(("https" if scheme == "wss" else "http", host, f"{prefix}/metrics", "", ""))


def any_certificate() -> ssl.SSLContext:
    """A context that takes any certificate of a server."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
