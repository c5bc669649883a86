"""What an upload is: its files by content, a zip's members, the roles their names claim, and whether it can be used."""
