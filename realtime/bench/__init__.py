"""Clients that measure: what those who speak to a realtime server get, one or a thousand of them."""
