"""The dashboards as tables of panels, and what makes Grafana's JSON of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from boards import kafka, lean, overview, worker

if TYPE_CHECKING:
    from boards.panels import Board

BOARDS: tuple[Board, ...] = (overview.BOARD, worker.BOARD, lean.BOARD, kafka.BOARD)
"""All dashboards, in the order of the links between them."""
