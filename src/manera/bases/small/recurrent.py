"""Recurrent models: Elman's RNN (1990), LSTM (Hochreiter and Schmidhuber, 1997), GRU (Cho et al., 2014)."""

from torch import Tensor, nn

from manera.bases.small.config import SmallConfig

State = Tensor | tuple[Tensor, Tensor]
"""(L, B, D), of an LSTM two such: what it tells, and what it remembers."""

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """A state that goes on from token to token, in torch's own fused layers; V tokens, width D, L layers."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        width, layers = config.hidden_size, config.num_hidden_layers
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.dropout = nn.Dropout(config.dropout)
        between = config.dropout if layers > 1 else 0.0
        self.layers = LAYERS[config.kind](width, width, layers, batch_first=True, dropout=between)

    def forward(self, ids: Tensor, carried: State | None) -> tuple[Tensor, State]:
        """Return the states (B, T, D) after ids (B, T), and what the next call carries on; None at the beginning."""
        states, carried = self.layers(self.dropout(self.embed_tokens(ids)), carried)
        return states, carried

    def carried_on(self, carried: State | None, begins_anew: Tensor) -> State | None:
        """Return what the next stretch of a text goes on from, without gradients; nothing where one begins (B,)."""
        if carried is None:
            return None
        goes_on = ~begins_anew[:, None]
        if isinstance(carried, tuple):
            return carried[0].detach() * goes_on, carried[1].detach() * goes_on
        return carried.detach() * goes_on
