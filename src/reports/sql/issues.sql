-- How often what went wrong, and how long it lasted.
SELECT code, identity, error, quantity, duration
FROM worded
ORDER BY quantity DESC, duration DESC, code, error_identity
LIMIT $16
