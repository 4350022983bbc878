"""What the news says: sources, entity linking, scoring, aggregation."""
