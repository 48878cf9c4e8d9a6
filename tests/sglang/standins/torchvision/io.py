ImageReadMode = None


def decode_jpeg(*_, **__):
    raise AssertionError("there are no images here")


decode_image = decode_jpeg
