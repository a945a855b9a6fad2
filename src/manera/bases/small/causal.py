"""A small model as transformers has models: a body, a norm, a head; saved and loaded as those are."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from manera.bases.small.config import RECURRENT, SmallConfig
from manera.bases.small.linear import Linear
from manera.bases.small.ngram import Ngram
from manera.bases.small.recurrent import Recurrent


class _Trust(nn.Module):
    """How far an n-gram's probabilities are believed against all tokens alike: from 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, told: Tensor) -> Tensor:
        return (self.weight * told + (1 - self.weight) / told.shape[-1]).log()


class _Same(nn.Module):
    """The head of a model that tells log-probabilities by itself, for who looks for its matrix (V, V)."""

    bias = None

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(vocabulary), requires_grad=False)

    def forward(self, told: Tensor) -> Tensor:
        return told


class _Parts(nn.Module):
    """Body and norm: ids to what the head is given."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.config = config
        if config.kind == "ngram":
            self.body: nn.Module = Ngram(config)
            self.norm: nn.Module = _Trust()
        else:
            self.body = (Recurrent if config.kind in RECURRENT else Linear)(config)
            self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)

    def states(self, ids: Tensor, carried: Any = None) -> tuple[Tensor, Any]:
        """Return what the head is given (B, T, D) after ids (B, T), and what the next call carries on."""
        states, carried = self.body(ids, carried)
        return self.dropout(self.norm(states)), carried

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """Read texts; where positions are given, each 0 begins another text in the same row, which sees none before."""
        if position_ids is None:
            states, carried = self.states(input_ids, past_key_values)
            return BaseModelOutputWithPast(last_hidden_state=states, past_key_values=carried if use_cache else None)
        return BaseModelOutputWithPast(last_hidden_state=self._apart(input_ids, position_ids))

    def _apart(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Read the texts of packed rows each by itself, and lay what they gave back into the rows."""
        is_first = positions == 0
        is_first[:, 1:] &= positions[:, :-1] != 0  # the padding behind the last text counts as one more
        begins = is_first.view(-1)
        text = begins.cumsum(0) - 1  # (B * T,): which text a token is of
        starts = begins.nonzero()[:, 0]
        place = torch.arange(len(text), device=ids.device) - starts[text]
        laid = ids.new_zeros(len(starts), int(place.max()) + 1)
        laid[text, place] = ids.view(-1)
        states, _ = self.states(laid)
        return states[text, place].view(*ids.shape, -1)


class SmallForCausalLM(PreTrainedModel):  # type: ignore[misc]
    """What trains, writes and is measured like any causal LM; what it carries on is in ``past_key_values``."""

    config_class = SmallConfig
    _tied_weights_keys = {"lm_head.weight": "model.body.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: SmallConfig) -> None:
        super().__init__(config)
        self.model = _Parts(config)
        self.lm_head = (
            _Same(config.vocab_size) if config.kind == "ngram" else nn.Linear(config.hidden_size, config.vocab_size)
        )
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        """Return logits (B, T, V), or of the last tokens alone."""
        read = self.model(input_ids, past_key_values=past_key_values, use_cache=use_cache)
        logits = self.lm_head(read.last_hidden_state[:, -logits_to_keep:])
        return CausalLMOutputWithPast(logits=logits, past_key_values=read.past_key_values)

    def get_input_embeddings(self) -> nn.Module:
        return getattr(self.model.body, "embed_tokens", self.model.body)

    def _init_weights(self, module: nn.Module) -> None:
        """Begin with embeddings whose logits vary by about one; everything else as torch begins it."""
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.hidden_size**-0.5)
        elif isinstance(module, _Same):
            nn.init.eye_(module.weight)
        elif module is self.lm_head and isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=self.config.hidden_size**-0.5)
            nn.init.zeros_(module.bias)
