"""Tables and figures for a paper: CSV, LaTeX, SVG, PDF."""
