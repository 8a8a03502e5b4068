"""A lock for the imports of database libraries, which happen late and in a thread.

A process forked while a module is being imported inherits an import that never ends. A fork
therefore waits for `import_lock`, which is locked during each of these imports and at no other
time.
"""

import os
import threading

import_lock = threading.Lock()

os.register_at_fork(
    before=import_lock.acquire,
    after_in_parent=import_lock.release,
    after_in_child=import_lock.release,
)
