def rotary_embedding(*_, **__):
    raise AssertionError("SGLang's own rotary embedding is used on a CPU")
