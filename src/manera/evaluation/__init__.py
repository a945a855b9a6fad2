"""A voice to a report: does it write like them, does it leak, was training worth it."""
