"""Features and the strategies that read them."""
