"""Moved to manera.retrieval.examples."""

from manera.retrieval.examples import Retriever as Retriever
