"""A base model by name: its file, its tokenizer, its architecture."""
