"""A corpus written to order by a language model: topics, prompts, what is sieved out, and how diverse the rest is."""
