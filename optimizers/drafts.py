"""Draws candidates of GrIPS: one edit or several in a row, each at a random place of a text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizers.edits import Edit, add, delete, substitute, swap
from optimizers.phrases import Cut, Level, cut

LONGEST = 4_000  # characters that edits may make of a shorter text


@dataclass(frozen=True)
class Draft:
    """A candidate, and what was taken out of its parent and put in."""

    text: str
    deleted: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drafting:
    """How candidates are drawn; all draws come from the generator that a call is given.

    An edit is drawn uniformly from those that are possible: delete and swap want two phrases,
    add wants one that was deleted, paraphrase one that a writer has reworded.

    Unlike the paper, of several edits in a row only the first may be a paraphrase: what the writer
    is asked then follows from the parent alone.
    """

    level: Level
    edits: Sequence[Edit]
    n_edits: int  # in one candidate

    def wish(
        self, parent: str, pool: Sequence[str], random: np.random.Generator
    ) -> tuple[Cut, int] | None:
        """The text and the position of the phrase to paraphrase; None: it is another edit's turn.

        Args:
            pool: phrases that `add` may take.
            random: of the draft; `draft` wants one in the same state.
        """
        text = cut(parent, self.level, random)
        if "paraphrase" not in self.edits or not text.phrases:
            return None
        if random.integers(1 + len(self._possible(text, pool))):
            return None
        return text, int(random.integers(len(text.phrases)))

    def draft(
        self, parent: str, pool: Sequence[str], random: np.random.Generator, wording: str = ""
    ) -> Draft | None:
        """One candidate, which may say the same as its parent; None: it grew too long.

        Args:
            wording: of the phrase in `wish`; empty: another edit takes the paraphrase's place.
        """
        done, n_left = Draft(parent), self.n_edits
        if (wish := self.wish(parent, pool, random)) and wording:
            done, n_left = Draft(substitute(*wish, wording).text), self.n_edits - 1
        for _ in range(n_left):
            done = self._edited(done, pool, random)
        return done if len(done.text) <= max(LONGEST, len(parent)) else None

    def _edited(self, done: Draft, pool: Sequence[str], random: np.random.Generator) -> Draft:
        text = cut(done.text, self.level, random)
        offered = [phrase for phrase in pool if phrase not in done.added]
        possible = self._possible(text, offered)
        if not possible:
            return done
        edit, n = possible[random.integers(len(possible))], len(text.phrases)
        if edit == "swap":
            one, other = map(int, random.choice(n, 2, replace=False))
            return replace(done, text=swap(text, one, other).text)
        if edit == "delete":
            position = int(random.integers(n))
            out = (*done.deleted, text.phrases[position])
            return replace(done, text=delete(text, position).text, deleted=out)
        position, phrase = int(random.integers(n + 1)), offered[random.integers(len(offered))]
        text = add(text, position, phrase)
        return replace(done, text=text.text, added=(*done.added, phrase))

    def _possible(self, text: Cut, pool: Sequence[str]) -> list[Edit]:
        several = len(text.phrases) > 1
        can: dict[Edit, bool] = {"delete": several, "swap": several, "add": bool(pool)}
        return [edit for edit, possible in can.items() if possible and edit in self.edits]
