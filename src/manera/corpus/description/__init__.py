"""What somebody's writing is like, in figures: as a page to look at, and as a note for any language model."""
