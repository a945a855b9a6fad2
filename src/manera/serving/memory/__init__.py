"""``/v1/memory``, and the option ``memory`` of chat completions: the routes, what goes over them, what they do."""
