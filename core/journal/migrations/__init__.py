"""The history of the tables, applied by ``core.journal.store`` at start."""
