"""What this computer can do, and what a run cost it."""
