"""The Reasoner: a language model that learns nano's world as text, then a tower that lets it hear."""
