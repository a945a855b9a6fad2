"""The blind game, and what people prefer."""
