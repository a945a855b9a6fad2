"""What someone wrote, and what is nearest to it."""
