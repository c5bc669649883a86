"""Studies made ready for a network, and results put back."""
