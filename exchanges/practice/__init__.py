"""The practice exchange: three venues' wire protocols over one matching engine, on loopback."""
