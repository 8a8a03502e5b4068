"""torch's compiler is not imported while a model is counted, and works afterwards."""

import subprocess
import sys

PROGRAM = """
import sys
import torch
from torch import nn
from joulecast.workload import analyze
from joulecast.workload.compiler import without_compiler

net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.Flatten())
analyze(net, (3, 8, 8), batch=2)
imported = [name for name in sys.modules if name.startswith("torch._dynamo")]
assert not imported, imported
with without_compiler():
    import torch._dynamo
    function = torch._dynamo.disable(lambda: 3)
    assert function() == 3
    import torch._dynamo.config
    assert torch._dynamo.config.cache_size_limit > 0
assert sys.modules["torch._dynamo"].__file__
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
print("ok")
"""


def test_it_is_imported_when_it_is_used():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout == "ok\n", done.stderr
