"""What a machine is: detection, and the catalog of GPUs, CPUs and grids.

`environment.Environment.detect()` looks at this machine; `visible_devices` says which of its GPUs a
process may use; the catalog modules answer for hardware that is not here. Nothing is imported
until it is asked for.
"""
