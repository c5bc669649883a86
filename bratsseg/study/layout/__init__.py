"""Find the cases in a folder, one file for each way of laying files out."""
