"""Messages to a streamed reply."""
