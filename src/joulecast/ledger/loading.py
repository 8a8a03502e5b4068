"""The database libraries are imported late, in a thread, and the training may fork meanwhile.

A process forked while a module is being imported inherits an import that never ends. So a fork
waits for `loading`, which is held for each of these imports and for nothing else.
"""

from __future__ import annotations

import os
import threading

loading = threading.Lock()

os.register_at_fork(
    before=loading.acquire, after_in_parent=loading.release, after_in_child=loading.release
)
