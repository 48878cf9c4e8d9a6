"""The Reasoner in SGLang: Chroma's thinker as an external model, hosted in a process of its own.

`reasoner` is what the frame loop sees. It keeps `host` alive, the process in which SGLang runs; `models` and
`processors` are what SGLang's own processes load of us. All that leans on SGLang's insides is in `rows`.
"""
