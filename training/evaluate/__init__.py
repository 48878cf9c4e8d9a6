"""What a checkpoint of nano can do, measured through its own engine: `python -m training.evaluate`."""
