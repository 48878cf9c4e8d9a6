"""The closed little world that chroma-nano knows: what may be asked, and the one right answer to it."""
