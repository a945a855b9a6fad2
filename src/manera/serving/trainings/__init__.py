"""What would be learned, and learning it."""
