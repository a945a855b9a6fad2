"""Ollama's Modelfile: the GGUF file, the voice's template in Go, its stops and its sampling.

https://github.com/ollama/ollama/blob/main/docs/modelfile.md
"""

from manera.exports.chat import go_template
from manera.voice.manifest import Voice

CONTEXT_LENGTH = 4096
"""What manera gives a conversation as well."""


def modelfile(voice: Voice, model: str) -> str:
    """Write a Modelfile; what the voice has off is said so, because Ollama's defaults are not.

    The template writes no BOS: Ollama's runner puts it before every prompt, as the file's ``add_bos_token`` asks.
    """
    sampling = voice.sampling
    parameters: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "top_k": 0 if sampling.top_k is None else sampling.top_k,
        "min_p": 0.0 if sampling.min_p is None else sampling.min_p,
        "repeat_penalty": 1.0 if sampling.repetition_penalty is None else sampling.repetition_penalty,
        "num_predict": sampling.max_new_tokens,
        "num_ctx": CONTEXT_LENGTH,
        "stop": f'"{voice.end_of_turn}"',
    }
    if sampling.seed is not None:
        parameters["seed"] = sampling.seed
    lines = [f"PARAMETER {name} {value}\n" for name, value in parameters.items()]
    return f'FROM ./{model}\nTEMPLATE """{go_template(voice)}"""\n{"".join(lines)}'
