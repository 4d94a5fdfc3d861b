"""How the service logs."""

from __future__ import annotations

from typing import Literal

from gateway.settings_parts import Section


class LogsSection(Section):
    """Of `serve`, on stderr. The command line's options come first."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
