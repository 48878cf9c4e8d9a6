"""In place of torchvision, which has no build for a CPU alone here. SGLang imports it and, without images,
calls nothing of it."""

__version__ = "0.28.0"
