-- Ids are drawn before their rows are committed, so whoever reads a list by ascending id could pass over a row
-- that is committed later than one behind it. Here each transaction that draws ids says so first, by a shared
-- advisory lock whose key is the id drawn last by anyone. A reader that finds such a lock stops at its key: all
-- that the transaction draws lies behind it. The lock goes with its transaction, after that has become visible.

-- The lower half of a number, as advisory locks have room for it.
CREATE FUNCTION lower_half(number bigint) RETURNS int IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT (((number & 4294967295) # 2147483648) - 2147483648)::int
$$;

-- The number that a sequence gave last, by whichever transaction.
CREATE FUNCTION drawn_last(sequence regclass) RETURNS bigint STRICT LANGUAGE plpgsql AS $$
DECLARE
    last bigint := pg_sequence_last_value(sequence);
BEGIN
    IF last IS NULL THEN
        -- It gave none yet.
        EXECUTE format('SELECT last_value - 1 FROM %s', sequence) INTO last;
    END IF;
    RETURN last;
END $$;

-- Says that this transaction is about to draw from a sequence. The first time is what counts: later ones would
-- only fill the table of locks.
CREATE FUNCTION announce_ids(sequence regclass) RETURNS void STRICT LANGUAGE plpgsql AS $$
DECLARE
    announced text := COALESCE(current_setting('scrip.announced', true), '');
BEGIN
    IF strpos(announced, '/' || sequence::oid || '/') = 0 THEN
        PERFORM pg_advisory_xact_lock_shared(lower_half(sequence::oid::bigint), lower_half(drawn_last(sequence)));
        PERFORM set_config('scrip.announced', announced || '/' || sequence::oid || '/', true);
    END IF;
END $$;

-- The same for ids that begin with the time. Returns the time that they are to begin with.
CREATE FUNCTION announce_times(of regclass) RETURNS timestamptz STRICT LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        lower_half(of::oid::bigint), lower_half(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint));
    RETURN clock_timestamp();
END $$;

-- As many ids of a table's sequence as are asked for.
CREATE FUNCTION draw_ids(of text, count bigint) RETURNS SETOF bigint STRICT LANGUAGE plpgsql AS $$
DECLARE
    sequence regclass := pg_get_serial_sequence(of, 'id');
BEGIN
    PERFORM announce_ids(sequence);
    RETURN QUERY SELECT nextval(sequence) FROM generate_series(1, count);
END $$;

-- Returns the distance from `newest` back to the farthest announcement under `key`; NULL if there
-- is none.
CREATE FUNCTION announced_behind(key oid, newest bigint) RETURNS bigint STRICT LANGUAGE sql AS $$
    SELECT max(distance)
    FROM (SELECT (newest - objid::bigint) & 4294967295 AS distance FROM pg_locks
          WHERE locktype = 'advisory' AND classid = key AND objsubid = 2
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) announced
    -- Announcements made since `newest` was read lie ahead of it, and do not count.
    WHERE distance < 2147483648
$$;

-- Up to which number of a sequence all rows are there that ever will be, and the number that was drawn last.
-- Rows are to be read by a statement after this one.
CREATE FUNCTION settled_ids(sequence regclass, OUT settled bigint, OUT drawn bigint) STRICT LANGUAGE plpgsql AS $$
BEGIN
    drawn := drawn_last(sequence);
    settled := drawn - COALESCE(announced_behind(sequence::oid, drawn), 0);
END $$;

-- The same for ids that begin with the time: the first microsecond since 1970 of which rows may be missing, and
-- the present one.
CREATE FUNCTION settled_times(of regclass, OUT settled bigint, OUT drawn bigint) STRICT LANGUAGE plpgsql AS $$
BEGIN
    drawn := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    settled := COALESCE((drawn / 1000 - announced_behind(of::oid, drawn / 1000)) * 1000, drawn);
END $$;

-- No writer can forget it: a statement's trigger runs before the statement draws its ids.
CREATE FUNCTION announce_insertion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM announce_ids(TG_ARGV[0]::regclass);
    RETURN NULL;
END $$;

ALTER SEQUENCE voucher_payment_id OWNED BY voucher_payment.id;
ALTER SEQUENCE payment_transaction_id OWNED BY payment_transaction.id;
ALTER SEQUENCE revenue_transaction_id OWNED BY revenue_transaction.id;
ALTER SEQUENCE machine_log_id OWNED BY machine_log.id;

DO $$
DECLARE
    numbered record;
BEGIN
    FOR numbered IN
        SELECT t.relname AS name, s.oid::regclass::text AS sequence
        FROM pg_class s
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i')
        JOIN pg_class t ON t.oid = d.refobjid
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid AND a.attname = 'id'
        WHERE s.relkind = 'S' AND t.relnamespace = current_schema()::regnamespace
          -- These have no list.
          AND t.relname NOT IN ('stale_code', 'voucher_payment', 'voucher_log_sheet')
    LOOP
        EXECUTE format('CREATE TRIGGER announce BEFORE INSERT ON %I FOR EACH STATEMENT EXECUTE FUNCTION announce_insertion(%L)',
                       numbered.name, numbered.sequence);
    END LOOP;
END $$;
CREATE TRIGGER announce BEFORE INSERT ON revenue_transaction_archive
    FOR EACH STATEMENT EXECUTE FUNCTION announce_insertion('revenue_transaction_id');
CREATE TRIGGER announce BEFORE INSERT ON payment_transaction_archive
    FOR EACH STATEMENT EXECUTE FUNCTION announce_insertion('payment_transaction_id');
CREATE TRIGGER announce BEFORE INSERT ON machine_log_archive
    FOR EACH STATEMENT EXECUTE FUNCTION announce_insertion('machine_log_id');

-- A voucher's log is listed by time. An entry that is written down late, as after an outage, has its place by when
-- that was.
ALTER TABLE voucher_log ADD written_at timestamptz;
ALTER TABLE voucher_log_sheet ADD written_at timestamptz[];

CREATE OR REPLACE FUNCTION voucher_log_entries(sheet voucher_log_sheet) RETURNS SETOF voucher_log IMMUTABLE LANGUAGE sql AS $$
    SELECT sheet.first + e.place - 1, e.voucher, e.action, e.success, e.requester, e.location, e.request, e.response,
        e.currency, e.created_at, e.written_at
    FROM unnest(sheet.voucher, sheet.action, sheet.success, sheet.requester, sheet.location, sheet.request,
                sheet.response, sheet.currency, sheet.created_at, sheet.written_at)
        WITH ORDINALITY AS e(voucher, action, success, requester, location, request, response, currency, created_at,
                             written_at, place)
$$;

CREATE OR REPLACE VIEW voucher_log_entry AS
    SELECT * FROM voucher_log
    UNION ALL
    SELECT e.* FROM voucher_log_sheet AS sheet, voucher_log_entries(sheet) AS e;

-- For how long the oldest transaction that writes to the log has been at it. It says so by the locks that it
-- takes anyway: a redemption does not pay for this.
CREATE FUNCTION log_written_for() RETURNS interval LANGUAGE sql AS $$
    SELECT COALESCE(max(clock_timestamp() - CASE a.query
                            -- Another role's. How long is not for us to see.
                            WHEN '<insufficient privilege>' THEN clock_timestamp() - interval '1 hour'
                            -- None, where it has ended meanwhile.
                            ELSE a.xact_start END), interval '0')
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
      AND l.relation IN ('redemption'::regclass, 'voucher_log_sheet'::regclass)
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
$$;
