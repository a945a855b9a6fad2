"""Sentence embeddings, as they are asked for over HTTP."""

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manera.retrieval.sentences import encoder
from manera.serving.embeddings.protocol import Embedding, EmbeddingList, EmbeddingRequest, EmbeddingUsage

MODEL = "use-multilingual-3"


def embeddings(asked: EmbeddingRequest) -> EmbeddingList:
    """Embed every text, in 512 dimensions and at length 1; the model is loaded for the first of them."""
    used = encoder()
    vectors = used.encode(asked.texts)
    tokens = sum(len(ids) for ids in used._tokenizer.encode(asked.texts))
    return EmbeddingList(asked.model, _written(vectors, asked.encoding_format), EmbeddingUsage(tokens, tokens))


def _written(vectors: NDArray[np.float32], encoding: str) -> Sequence[Embedding]:
    if encoding == "base64":
        return [Embedding(i, base64.b64encode(v.astype("<f4").tobytes()).decode()) for i, v in enumerate(vectors)]
    return [Embedding(i, v.tolist()) for i, v in enumerate(vectors)]
