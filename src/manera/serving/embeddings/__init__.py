"""``/v1/embeddings``: the route, what goes over it, and what it does."""
