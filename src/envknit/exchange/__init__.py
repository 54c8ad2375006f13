"""Projects and locks of other tools: what `import` reads and `export` writes."""
