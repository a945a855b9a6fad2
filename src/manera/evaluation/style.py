"""The names of ``manera.text`` that evaluation uses."""

from manera.text.habits import Piece as Piece
from manera.text.habits import distorted as distorted
from manera.text.habits import emoji as pictures
from manera.text.habits import habits as habits
from manera.text.words import WORD as WORD
from manera.text.words import common_words as common_words
from manera.text.words import sentence_lengths as sentence_lengths
from manera.text.words import words as words

__all__ = ["pictures"]
