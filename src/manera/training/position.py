"""Where a run stands, in numbers."""

import msgspec


class Position(msgspec.Struct, frozen=True):
    """Where a run stands between two steps; elapsed: its seconds so far, with those of processes that died."""

    step: int = 0
    elapsed: float = 0.0
    lowest: float | None = None
    stale: int = 0
    rows_per_micro_batch: int | None = None
    is_over: bool = False
