"""``killcord drill``: rehearsals on a practice exchange of their own, with timed reports."""
