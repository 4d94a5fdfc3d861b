"""What befell which operations in which phase, as a table for people."""

from __future__ import annotations

from collections import Counter

from tests.simulation.faults import OPERATIONS, Cell, Phase, every_cell

_WIDTH = 9
_HEADS = tuple(
    each.replace("rdv_copy", "copy").replace("absence_event", "event").replace("busy_block", "block").split()
    for each in OPERATIONS
)


def least(hits: Counter[Cell]) -> tuple[Cell, int]:
    """The square that was hit least, and how often."""
    cell = min(every_cell(), key=lambda each: hits[each])
    return cell, hits[cell]


def table(hits: Counter[Cell]) -> str:
    """Faults by phase down, operations across; "." where a fault cannot be."""
    cells = every_cell()
    faults = list(dict.fromkeys(cell.fault for cell in cells))
    lines = ["".ljust(46) + "".join(word.rjust(_WIDTH) for word in words) for words in zip(*_HEADS, strict=True)]
    for phase in Phase:
        for fault in faults:
            row = [Cell(fault, operation, phase) for operation in OPERATIONS]
            if any(cell in cells for cell in row):
                numbers = [str(hits[cell]) if cell in cells else "." for cell in row]
                lines.append(f"{phase:<21} {fault:<24}" + "".join(each.rjust(_WIDTH) for each in numbers))
    (fault, operation, phase), count = least(hits)
    return "\n".join((*lines, f"{len(cells)} squares; the least hit: {fault}, {operation}, {phase}: {count} times"))
