"""What an order may do: codes, the gate, and the breakers."""
