"""The panes: small classes that put a pure view into a place of the screen.

What a pane says is made in ``tui.views``, how it is drawn in ``tui.widgets``.
"""
