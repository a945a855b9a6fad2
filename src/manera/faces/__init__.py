"""The API's own clients: a page and a bot."""
