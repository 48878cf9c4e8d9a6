"""How chroma-nano was made: its little world, its corpus, its parts in the order of their training.

Not part of the installed package. `python -m training` runs every stage, `python -m training.evaluate`
measures what came out.
"""
