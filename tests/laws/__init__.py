"""Hold what must be true for every stream: crash and resume give the same bits, bad input loses nothing."""
