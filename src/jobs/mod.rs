//! Background work on Postgres.
