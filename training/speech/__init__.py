"""Backbone and Decoder: the Reasoner's pairs and a reference voice to frames of codes."""
