"""What a machine is: detection, and the catalog of GPUs, CPUs and grids.

`environment.Environment.detect()` describes this machine, `catalog` other hardware.
"""
