"""Posts that arrive together are committed together: one transaction, one seal, one flush to disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Any

import adbc_driver_manager

from predtrack_assets.domain.forecasts.intake.rows import MAX_ROWS
from predtrack_assets.services.forecasts.intake import Post, take_posts
from predtrack_assets.warehouse.database.transaction import Database


class _Waiting:
    """A post, and what became of it once `done`."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.done = False
        self.found: dict[str, Any] | Exception = ValueError("not taken yet")


class GroupCommit:
    """Takes posts from many threads; whoever comes first commits for all that wait.

    A post waits for the group before it, never for others to come, so that a single one is as fast as
    without. A group holds MAX_ROWS rows at most, and one post at least.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[_Waiting] = deque()
        self._queue_lock, self._one_group = Lock(), Lock()

    def take(self, post: Post) -> dict[str, Any]:
        """The answer to a post, committed. Raises as take_predictions does."""
        waiting = _Waiting(post)
        with self._queue_lock:
            self._queue.append(waiting)
        while not waiting.done:
            with self._one_group:
                if not waiting.done:
                    self._commit(self._next_group())
        if isinstance(waiting.found, Exception):
            raise waiting.found
        return waiting.found

    def _next_group(self) -> list[_Waiting]:
        with self._queue_lock:
            group = [self._queue.popleft()]
            rows = len(group[0].post.rows)
            while self._queue and rows + len(self._queue[0].post.rows) <= MAX_ROWS:
                group.append(self._queue.popleft())
                rows += len(group[-1].post.rows)
        return group

    def _commit(self, group: Sequence[_Waiting]) -> None:
        """Commit a group; one that the database refuses is committed post by post."""
        try:
            with self._database.transaction() as transaction:
                answers = take_posts(transaction, [waiting.post for waiting in group])
        except (adbc_driver_manager.Error, ValueError) as error:
            if len(group) > 1:
                for waiting in group:
                    self._commit([waiting])
                return
            group[0].found, group[0].done = error, True
            return
        except BaseException as error:
            for waiting in group:  # they are not left waiting, whatever it was
                waiting.found, waiting.done = RuntimeError(repr(error)), True
            raise
        for waiting, answer in zip(group, answers, strict=True):
            waiting.found, waiting.done = answer, True
