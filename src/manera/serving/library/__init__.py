"""Voices: what they are, what is known of them, and their end."""
