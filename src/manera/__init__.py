"""From the words that someone wrote to a model that writes like them."""
