"""The panes: small classes over the pure views."""
