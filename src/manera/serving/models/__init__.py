"""``/v1/models``: the route and what goes over it."""
