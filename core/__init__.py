"""What trading is: values, engine, risk, orders, journal. No network to a venue, no screen."""
