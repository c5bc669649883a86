"""Read volumes, one file for each format."""
