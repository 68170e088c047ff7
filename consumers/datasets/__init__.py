"""Historical tables of users, read for `replay`, `pretrain` and `evaluate` by one reader."""
