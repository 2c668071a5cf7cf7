-- How often what went badly wrong.
SELECT code, identity, error, alarms
FROM worded
WHERE alarms > 0
ORDER BY alarms DESC, code, error_identity
LIMIT $16
