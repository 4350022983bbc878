"""What an order may do: the limits, the gate that checks them, breakers, and the refusal codes.

Pure: it gets the circumstances and answers. Who asks, and what follows, is ``core.engine``'s.
"""
