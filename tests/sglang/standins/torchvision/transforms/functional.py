from torchvision.transforms import InterpolationMode  # noqa: F401

pil_to_tensor = None
