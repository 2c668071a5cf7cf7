-- Months of the voucher log, made ahead of time by every server that starts and once a day.

-- Makes the partitions from the month of `first` on, as far as they are missing. Rows that arrived for
-- such a month while it had none are moved into it.
CREATE FUNCTION voucher_log_months(first date, months int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begins timestamptz;
    ends timestamptz;
    part text;
BEGIN
    -- One at a time, whichever server asks.
    PERFORM pg_advisory_xact_lock(hashtext('voucher_log_months'));
    FOR n IN 0 .. months - 1 LOOP
        begins := (date_trunc('month', first) + make_interval(months => n)) AT TIME ZONE 'UTC';
        ends := (date_trunc('month', first) + make_interval(months => n + 1)) AT TIME ZONE 'UTC';
        part := 'voucher_log_' || to_char(begins AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        -- ATTACH alone would let an insert that was planned before it fail on the partition for the rest.
        LOCK TABLE voucher_log IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE voucher_log INCLUDING DEFAULTS INCLUDING INDEXES)', part);
        EXECUTE format('WITH moved AS (DELETE FROM voucher_log_rest WHERE created_at >= %L AND created_at < %L RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', begins, ends, part);
        EXECUTE format('ALTER TABLE voucher_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, begins, ends);
    END LOOP;
END $$;
