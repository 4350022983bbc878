"""Pure functions from a snapshot to what is on the screen. No Textual, no clock, no state."""
