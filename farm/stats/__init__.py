"""Statistics of raw samples: speeds and shares, draws and families. Pure; knows no files and no records."""
