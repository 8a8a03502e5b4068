"""Facts on GPUs, CPUs and grids, each with its source, as TOML files."""
