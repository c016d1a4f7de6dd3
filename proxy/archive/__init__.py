"""The embedded default PACS: a tree of de-identified Part 10 files and an SQLite index that can be rebuilt from it."""
