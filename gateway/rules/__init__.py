"""A département's rules: what holds for whom, from the general to the particular."""
