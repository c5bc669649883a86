"""Studies: the day of the scan, what is told of one, and how it is given to the right patient."""
