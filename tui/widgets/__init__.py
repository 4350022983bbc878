"""Things that draw. They know tones and cells, nothing of trading."""
