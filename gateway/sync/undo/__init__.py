"""Undo: both sides put back as they were before a run or one write of it, item by item.

`steps` says what each write notes for that, `planning` what is to be done or refused, `undoing` does it through the
guard, `agreeing` records it with a pin, so that the next sync does not redo what was undone.
"""
