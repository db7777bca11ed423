"""What happens to many clips: rows of the tables, done in parallel and only once."""
