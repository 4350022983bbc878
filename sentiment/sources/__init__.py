"""Where headlines come from. ``sentiment.sources.registry`` names all of them."""
