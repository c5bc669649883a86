"""One file a step, from an empty database to today's."""
