"""Training: experiments on scans or synthetic patients. Lightning is imported only here, and when training starts."""
