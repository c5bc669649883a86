"""Training: experiments on synthetic patients. Lightning is imported only here, and only when training starts."""
