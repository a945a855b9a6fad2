"""A voice over HTTP."""
