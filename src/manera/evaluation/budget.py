"""How much is measured."""

import sys

import msgspec


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured: all of it, or less and less surely (``--fast``).

    scored_tokens: held-out tokens scored on each rung.
    texts: at most so many written by base and voice each, on prompts to which the person wrote ``words`` words.
    with_unguarded: whether the voice writes without its guard too.
    rung_texts: texts of each other rung. ranked: true replies that are ranked among others.
    dial_tokens, dial_texts: scored and written at each setting of the dial.
    pieces: pieces of each author that the verifier learns from.
    canaries: secrets never planted that planted ones are ranked among.
    replies: written one at a time to see what one costs.
    """

    fast: bool
    scored_tokens: int
    texts: int
    words: int
    with_unguarded: bool
    rung_texts: int
    ranked: int
    dial_tokens: int
    dial_texts: int
    pieces: int
    canaries: int
    replies: int


FULL = Budget(
    fast=False,
    scored_tokens=12_000,
    texts=120,
    words=15_000,
    with_unguarded=True,
    rung_texts=40,
    ranked=20,
    dial_tokens=2_500,
    dial_texts=24,
    pieces=500,
    canaries=512,
    replies=8,
)
FAST = Budget(
    fast=True,
    scored_tokens=1_500,
    texts=24,
    words=600,
    with_unguarded=False,
    rung_texts=0,
    ranked=0,
    dial_tokens=0,
    dial_texts=0,
    pieces=80,
    canaries=128,
    replies=2,
)


def for_pairs(count: int) -> Budget:
    """Write so many texts of base and voice each, and nothing beside them."""
    return msgspec.structs.replace(FULL, texts=count, words=sys.maxsize, with_unguarded=False, rung_texts=0)
