"""The studio: a page that is one more client of the API."""
