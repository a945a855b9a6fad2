"""Conversations as examples, and examples as token ids and labels."""
