"""Printed tables: rows of cells under grouped columns, as Markdown, LaTeX and HTML."""
