"""Dialogs: help, typed confirmations, the order ticket, leaving."""
