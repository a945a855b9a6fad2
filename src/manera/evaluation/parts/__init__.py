"""The parts of an evaluation: each takes the values it needs and yields metrics, and what the page quotes."""
