"""Other versions beside the residents: which pin is meant, blocks, defaults, and what is said of them."""
