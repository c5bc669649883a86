"""Results: what is told of one, its revision, what readers decide and draw, and a patient's results over time."""
