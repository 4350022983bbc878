"""How a venue is reached: adapters over ccxt, their quirks as data, and the practice exchange."""
