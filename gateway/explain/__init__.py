"""Why a slot is blocked or not, and what became of an RDV, an absence or an event: in words, without personal text."""
