"""Seven ways to make texts for one task, at one budget, and three compositions of them."""
