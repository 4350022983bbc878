"""What a person touches: the command line, the headless output and the terminal.

It holds no keys and no trading state. ``compose.py`` alone knows all four packages.
"""
