"""Where each block of a transcript stands, worked out only as far as somebody looks.

A block that nobody has seen has a guessed height; `measure` lays it out and corrects it.  So ten thousand blocks open like a
screenful, and memory holds the lines of a few.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate

from .blocks import Block
from .wrap import Flow, guess_height

FLOWS_KEPT = 256
FRAME = 2
"""Lines of a block beside its text: the heading above it, a blank below it."""


class Column:
    """Blocks, one below the other, `width` cells wide."""

    def __init__(self, width: int = 80) -> None:
        self.width = width
        self.blocks: list[Block] = []
        self._index: dict[str, int] = {}
        self._heights: list[int] = []
        self._tops: list[int] = [0]
        self._valid = 0  # `_tops` is right up to and including this index
        self._flows: OrderedDict[int, Flow] = OrderedDict()

    def set(self, blocks: Iterable[Block]) -> None:
        self.blocks = list(blocks)
        self._index = {block.id: i for i, block in enumerate(self.blocks)}
        self.resize(self.width)

    def resize(self, width: int) -> None:
        self.width = width
        self._flows.clear()
        self._heights = [FRAME + guess_height(block.text, width) for block in self.blocks]
        self._tops, self._valid = [0], 0

    def append(self, block: Block) -> None:
        self._index[block.id] = len(self.blocks)
        self.blocks.append(block)
        self._heights.append(FRAME + guess_height(block.text, self.width))

    def cut(self, at: int) -> None:
        """Drops the blocks from the index `at` on."""
        for place in range(at, len(self.blocks)):
            self._index.pop(self.blocks[place].id, None)
            self._flows.pop(place, None)
        del self.blocks[at:], self._heights[at:], self._tops[at + 1 :]
        self._valid = min(self._valid, at)

    def grow(self, at: int, text: str) -> int:
        """Adds `text` to the end of a block; the first changed line, counted from the block's top."""
        flow = self.flow(at)
        self.blocks[at] = replace(self.blocks[at], text=self.blocks[at].text + text)
        first = flow.grow(text)
        self.measure(at)
        return 1 + first

    def place(self, block_id: str) -> int | None:
        return self._index.get(block_id)

    def flow(self, at: int) -> Flow:
        flow = self._flows.get(at)
        if flow is None:
            flow = self._flows[at] = Flow(self.blocks[at].text, self.width)
            if len(self._flows) > FLOWS_KEPT:
                self._flows.popitem(last=False)
        else:
            self._flows.move_to_end(at)
        return flow

    def measure(self, at: int) -> int:
        """The true height of a block, in lines."""
        flow = self.flow(at)
        height = FRAME + len(flow.lines) + (flow.cut > 0)
        if height != self._heights[at]:
            self._heights[at] = height
            self._valid = min(self._valid, at)
        return height

    def top(self, at: int) -> int:
        """The line at which a block starts; of the number of blocks: the height of it all."""
        if at > self._valid:
            start = self._valid
            self._tops[start:] = accumulate(self._heights[start:], initial=self._tops[start])
            self._valid = len(self._heights)
        return self._tops[at]

    @property
    def height(self) -> int:
        return self.top(len(self.blocks))

    def at(self, y: int) -> int:
        """The block that line `y` belongs to; the nearest one outside the text.  There must be a block."""
        self.top(len(self.blocks))
        return max(0, min(len(self.blocks) - 1, bisect_right(self._tops, y) - 1))

    def measure_about(self, at: int, above: int, below: int) -> None:
        """Lays out `at`, at least `above` lines before it and `below` lines from its top on, as far as there are any."""
        seen, i = 0, at
        while i < len(self.blocks) and seen < below:
            seen += self.measure(i)
            i += 1
        seen, i = 0, at - 1
        while i >= 0 and seen < above:
            seen += self.measure(i)
            i -= 1
