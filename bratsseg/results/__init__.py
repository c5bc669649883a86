"""What a case's result is on disk: its record, its files' names, finding, replacing and tabling it."""
