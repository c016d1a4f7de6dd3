"""Alembic's script folder, shipped inside the package and run by `proxy.store.database` at open."""
