"""``/v1/chat/completions``: the route, what goes over it, and what it does."""
