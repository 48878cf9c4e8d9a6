"""In place of vllm, of which SGLang imports one kernel where there is no GPU and then uses its own."""
