"""A sync in five verbs: observe, plan, guard, apply, record."""
