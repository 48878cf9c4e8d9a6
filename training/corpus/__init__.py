"""Synthetic speech: who speaks, what is said, and how it is made less clean."""
