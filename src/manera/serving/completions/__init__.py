"""``/v1/completions``: the route, what goes over it, and what it does."""
