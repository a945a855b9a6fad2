"""A base model, its trimmed vocabulary, adapters, likelihood and GGUF files."""
