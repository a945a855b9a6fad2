"""Models from nothing, compared honestly: words, tokenizers, small models of every kind, and their training."""
