"""The keys of `[experiments]`: what they mean, and what is wrong with them."""
