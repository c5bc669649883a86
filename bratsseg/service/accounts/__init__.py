"""Who may come in: passwords, sessions, tokens, and how often one may knock."""
