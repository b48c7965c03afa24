"""Parts that every method needs: files, resume logs, presets, intervals."""
