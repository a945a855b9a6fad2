"""Utterances on disk: ledger, speakers, conversations, held-out splits."""
