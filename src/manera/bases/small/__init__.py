"""Small models that can be trained from nothing: n-gram, feed-forward and recurrent ones."""
