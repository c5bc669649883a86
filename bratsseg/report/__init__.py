"""What a person reads: pages, pictures and measures of results."""
