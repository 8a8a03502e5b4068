"""A trial that is this runner's: it says so now and then, and gives back a result or the trial."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...errors import LedgerError
from ...ledger import claims
from ...ledger.liveness import ProcessIdentity
from ...units import format_duration
from .attempt import Attempt

if TYPE_CHECKING:
    from ...ledger import Ledger

STORE_S = 900.0  # for how long a result is offered to a ledger that does not take it
_AGAIN_S = 2.0


class Claimed:
    """Held in a `with` block; left by an error, the trial is given back."""

    def __init__(
        self,
        ledger: Ledger,
        study: str,
        trial_id: str,
        me: ProcessIdentity,
        say: Callable[[str], None],
    ) -> None:
        self._ledger, self._of, self._say = ledger, (study, trial_id, me), say
        self._done = threading.Event()
        self.lost = threading.Event()  # another runner has it: this one was thought to be dead
        self._beating = threading.Thread(target=self._beat, name="joulecast-claim", daemon=True)

    def __enter__(self) -> Claimed:
        self._beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        if kind is not None:
            with suppress(LedgerError):
                claims.release(self._ledger, *self._of)

    def began(self, run_id: str) -> None:
        """The run has begun that records it: whoever may take the trial over finds it."""
        with suppress(LedgerError):  # the next may be more lucky
            claims.beat(self._ledger, *self._of, run_id)

    def keep(self, result: Attempt, figures: Mapping[str, Any] | None) -> bool:
        """Store how it ended; False where it was lost to another runner."""
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
        """It is pending again; False where it was lost to another runner."""
        return self._stored(lambda: claims.release(self._ledger, *self._of))

    def _stored(self, store: Callable[[], bool]) -> bool:
        """Raises `LedgerError` where the ledger does not take it for a quarter of an hour."""
        deadline = time.monotonic() + STORE_S
        while True:
            try:
                kept = store()
            except LedgerError as error:
                if time.monotonic() > deadline:
                    raise
                self._say(f"{error}: tried again for {format_duration(STORE_S)}")
                time.sleep(_AGAIN_S)
            else:
                self._end()  # until then it is to be ours
                return kept

    def _beat(self) -> None:
        while not self._done.wait(claims.BEAT_S):
            with suppress(LedgerError):  # a server that is restarted hears the next
                if not claims.beat(self._ledger, *self._of):
                    self.lost.set()
                    return

    def _end(self) -> None:
        self._done.set()
        if self._beating.ident is not None:
            self._beating.join()
