"""What a word, a language, a habit and a piece of personal data is: one definition for every floor."""
