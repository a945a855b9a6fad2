"""Past talk: what is worth recalling now, and what must not be."""
