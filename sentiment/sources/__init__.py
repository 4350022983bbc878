"""Where headlines come from: one file a source, and how each is asked within its quota.

``registry.py`` names all of them. What an article means belongs to ``sentiment``.
"""
