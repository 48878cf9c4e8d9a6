"""Where the golden checkpoint lies: a tiny Chroma in the published format with the reference's answers."""

from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CASES = ("short", "long", "text_ends_early")
