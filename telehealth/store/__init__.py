"""The database: the only part that speaks SQL. Functions over a connection, named after subjects."""
