"""What SGLang loads as its external model package; every module here is imported by it."""
