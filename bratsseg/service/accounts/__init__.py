"""Who may log in: passwords, sessions, tokens, and how many attempts are allowed."""
