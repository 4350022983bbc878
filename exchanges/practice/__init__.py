"""The practice exchange: three venues' wire protocols over one matching engine, on loopback.

What all venues do is here, how one of them says it in its folder. Matching itself is
``core.matching``.
"""
