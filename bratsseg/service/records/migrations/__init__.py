"""Alembic's migrations of the database; they come with the package."""
