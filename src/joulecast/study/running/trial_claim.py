"""A trial that this runner has claimed: a heartbeat in the ledger until its result is stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import LedgerError
from ...ledger import claims
from ...ledger.liveness import ProcessIdentity
from ...units import format_duration
from .attempt import Attempt

if TYPE_CHECKING:
    from ...ledger import Ledger

# Storing a result is retried for so long while the ledger fails.
STORE_S = 900.0
_RETRY_S = 2.0


class TrialClaim:
    """A claim for the duration of a `with` block; after an error the trial is pending again."""

    def __init__(
        self,
        ledger: Ledger,
        study: str,
        trial_id: str,
        me: ProcessIdentity,
        message: Callable[[str], None],
    ) -> None:
        self._ledger, self._of, self._message = ledger, (study, trial_id, me), message
        self._done = threading.Event()
        # Set once another runner has taken the trial, because this one seemed to be gone.
        self.lost = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="joulecast-claim", daemon=True)

    def __enter__(self) -> TrialClaim:
        self._beating.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end()
        if kind is not None:
            with suppress(LedgerError):
                claims.release(self._ledger, *self._of)

    def began(self, run_id: str) -> None:
        """Store the id of its run, for a runner that takes the trial over."""
        # A later heartbeat may succeed.
        with suppress(LedgerError):
            claims.beat(self._ledger, *self._of, run_id)

    def keep(self, result: Attempt, figures: Mapping[str, Any] | None) -> bool:
        """Store how the trial ended; False where another runner has taken it."""
        assert result.status is not None
        status = str(result.status)
        return self._stored(
            lambda: claims.end(
                self._ledger,
                *self._of,
                status,
                run_id=result.run_id,
                error=result.error,
                log=result.log,
                energy=result.energy,
                duration_s=result.duration_s,
                figures=figures,
            )
        )

    def give_back(self) -> bool:
        """Make the trial pending again; False where another runner has taken it."""
        return self._stored(lambda: claims.release(self._ledger, *self._of))

    def _stored(self, store: Callable[[], bool]) -> bool:
        """Raises `LedgerError` where the ledger still fails after a quarter of an hour."""
        deadline = time.monotonic() + STORE_S
        while True:
            try:
                kept = store()
            except LedgerError as error:
                if time.monotonic() > deadline:
                    raise
                self._message(f"{error}: retrying for {format_duration(STORE_S)}")
                time.sleep(_RETRY_S)
            else:
                # Heartbeats go on until here.
                self._end()
                return kept

    def _beat(self) -> None:
        while not self._done.wait(claims.BEAT_S):
            # A server that is restarted receives the next.
            with suppress(LedgerError):
                if not claims.beat(self._ledger, *self._of):
                    self.lost.set()
                    return

    def _end(self) -> None:
        self._done.set()
        if self._beating.ident is not None:
            self._beating.join()
