-- The progress of letting go of data that is kept for a time.

CREATE TABLE retention (
    data    text PRIMARY KEY,
    -- Rows up to this id are done, of what is looked through in the order of ids.
    through bigint NOT NULL DEFAULT 0,
    -- Rows of before this day were dropped, of what is dropped by months.
    since   date
);

-- Drops the oldest month of `parent` before that of `keep`, and notes from when on rows are kept; false if there is
-- none. One at a time, so that nobody waits long for the table. The journal is not among what it takes.
CREATE FUNCTION drop_month(parent text, keep date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    part text;
BEGIN
    IF parent NOT IN ('voucher_log', 'revenue_transaction_archive', 'payment_transaction_archive',
                      'machine_log_archive') THEN
        RAISE EXCEPTION 'months of % are kept', parent USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('make_months'));
    SELECT c.relname INTO part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = parent::regclass AND c.relname ~ '_\d{4}_\d{2}$'
      AND to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', keep)
    ORDER BY to_date(right(c.relname, 7), 'YYYY_MM') LIMIT 1;
    IF part IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO retention (data, since)
    VALUES (parent, to_date(right(part, 7), 'YYYY_MM') + interval '1 month')
    ON CONFLICT (data) DO UPDATE SET since = GREATEST(retention.since, excluded.since);
    EXECUTE format('DROP TABLE %I', part);
    RETURN true;
END $$;
