-- Which history of Postgres the copies in Redis were made from. A standby that was promoted and a backup that
-- was restored may lack what Redis holds: then every copy is declared worthless.

-- The cluster, its timeline and its start: the first two tell histories apart, the third notices a backup that
-- was put back without a new timeline. Fails on a standby.
CREATE FUNCTION postgres_lineage() RETURNS text LANGUAGE sql AS $$
    SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/'
           || to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    FROM pg_control_system()
$$;

-- The epoch after this one. Counted from time, so that a Postgres that went back hands out none a second time:
-- in seconds since 2020.
CREATE FUNCTION next_epoch(epoch bigint, known bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT GREATEST(epoch + 1, known + 1,
                    extract(epoch FROM clock_timestamp() - timestamptz '2020-01-01T00:00:00Z')::bigint)
$$;

ALTER TABLE hot_epoch ADD COLUMN lineage text;
UPDATE hot_epoch SET lineage = postgres_lineage(), epoch = next_epoch(epoch, 0);
