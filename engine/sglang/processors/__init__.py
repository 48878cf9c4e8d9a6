"""What SGLang loads as its external package of multimodal processors; every module here is imported by it."""
