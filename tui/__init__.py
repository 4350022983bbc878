"""What a person touches: the command line, the headless output and the terminal."""
