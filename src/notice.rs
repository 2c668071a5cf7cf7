//! What Postgres tells every server: that something which it keeps in memory has changed.
