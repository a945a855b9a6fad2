"""Files and exports, read as utterances."""
