-- Functions that tables of all areas share: notices to servers, ids that lists can be followed by, rows that stay as
-- they are, months, instants in words, and the rights of a server's role.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- ---------------------------------------------------------------------------------------------------------------
-- Notices. Servers learn by them that something which they keep in memory has changed. Each notice on the channel
-- 'scrip' is 'noun:id'. Arguments: the noun; the column of the id.
CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('scrip', TG_ARGV[0] || ':' || COALESCE(to_jsonb(NEW) ->> TG_ARGV[1], to_jsonb(OLD) ->> TG_ARGV[1]));
    RETURN NULL;
END $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Ids are drawn before their rows are committed, so whoever reads a list by ascending id could pass over a row
-- that is committed later than one behind it. Here each transaction that draws ids says so first, by a shared
-- advisory lock whose key is the id drawn last by anyone. A reader that finds such a lock stops at its key: all
-- that the transaction draws lies behind it. The lock goes with its transaction, after that has become visible.

-- Returns the lower half of a number, as advisory locks have room for it.
CREATE FUNCTION lower_half(number bigint) RETURNS int IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT (((number & 4294967295) # 2147483648) - 2147483648)::int
$$;

-- Returns the number that a sequence gave last, to any transaction.
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

-- Says that this transaction is about to draw from a sequence. Only the first time takes a lock: later ones would
-- fill the table of locks and add nothing.
CREATE FUNCTION announce_ids(sequence regclass) RETURNS void STRICT LANGUAGE plpgsql AS $$
DECLARE
    announced text := COALESCE(current_setting('scrip.announced', true), '');
BEGIN
    IF strpos(announced, '/' || sequence::oid || '/') = 0 THEN
        PERFORM pg_advisory_xact_lock_shared(lower_half(sequence::oid::bigint), lower_half(drawn_last(sequence)));
        PERFORM set_config('scrip.announced', announced || '/' || sequence::oid || '/', true);
    END IF;
END $$;

-- Says the same for ids that begin with the time. Returns the time that they are to begin with.
CREATE FUNCTION announce_times(of regclass) RETURNS timestamptz STRICT LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        lower_half(of::oid::bigint), lower_half(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint));
    RETURN clock_timestamp();
END $$;

-- Draws as many ids of a table's sequence as are asked for.
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

-- Returns the number of a sequence up to which all rows are there that ever will be, and the number that was drawn
-- last. Rows are to be read by a statement after this one.
CREATE FUNCTION settled_ids(sequence regclass, OUT settled bigint, OUT drawn bigint) STRICT LANGUAGE plpgsql AS $$
BEGIN
    drawn := drawn_last(sequence);
    settled := drawn - COALESCE(announced_behind(sequence::oid, drawn), 0);
END $$;

-- Returns the same for ids that begin with the time: the first microsecond since 1970 of which rows may be missing,
-- and the present one.
CREATE FUNCTION settled_times(of regclass, OUT settled bigint, OUT drawn bigint) STRICT LANGUAGE plpgsql AS $$
BEGIN
    drawn := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    settled := COALESCE((drawn / 1000 - announced_behind(of::oid, drawn / 1000)) * 1000, drawn);
END $$;

-- Announces ids for whoever inserts, so that no writer can forget it: a statement's trigger runs before the statement
-- draws its ids. Argument: the sequence.
CREATE FUNCTION announce_insertion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM announce_ids(TG_ARGV[0]::regclass);
    RETURN NULL;
END $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Refuses every change of a row that is there.
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Months of tables that are kept by month: a table, its partitions `<table>_YYYY_MM`, one more `<table>_rest` for rows
-- of months that have none yet, and `<table>_archive`, which old months are handed over to. Servers make months ahead
-- of time, when they start and once a day.

-- Returns the name of the partition that an instant belongs to.
CREATE FUNCTION month_of(parent text, at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT parent || '_' || to_char(at AT TIME ZONE 'UTC', 'YYYY_MM')
$$;

-- Moves rows of `parent`'s rest, from `begins` until `ends`, into a partition.
CREATE FUNCTION move_rest(parent text, by text, part text, begins timestamptz, ends timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    columns text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
    WHERE attrelid = parent::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %2$I < %4$L RETURNING %5$s)
                    INSERT INTO %6$I (%5$s) SELECT %5$s FROM moved',
                   parent || '_rest', by, begins, ends, columns, part);
END $$;

-- Makes the partitions of `parent` from the month of `first` on, as far as they are missing: rows that
-- arrived for such a month while it had none are moved into it. `by` is the column of the instant.
CREATE FUNCTION make_months(parent text, by text, first date, months int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begins timestamptz;
    ends timestamptz;
    part text;
BEGIN
    -- One at a time, whichever server asks.
    PERFORM pg_advisory_xact_lock(hashtext('make_months'));
    FOR n IN 0 .. months - 1 LOOP
        begins := (date_trunc('month', first) + make_interval(months => n)) AT TIME ZONE 'UTC';
        ends := (date_trunc('month', first) + make_interval(months => n + 1)) AT TIME ZONE 'UTC';
        part := month_of(parent, begins);
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        -- ATTACH alone would let an insert that was planned before it fail on the partition for the rest.
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
        -- Says what its bounds will be, so that whoever attaches it, now or to the archive, need not read it.
        EXECUTE format('ALTER TABLE %1$I ADD CONSTRAINT %2$I CHECK (%3$I >= %4$L AND %3$I < %5$L)',
                       part, part || '_bounds', by, begins, ends);
        PERFORM move_rest(parent, by, part, begins, ends);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, begins, ends);
    END LOOP;
END $$;

-- Gives rows that came for a month without a partition their place: a new partition, or the one that is there by now.
CREATE FUNCTION settle_rest(parent text, by text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begins timestamptz;
BEGIN
    FOR begins IN EXECUTE format(
        'SELECT DISTINCT date_trunc(''month'', %I AT TIME ZONE ''UTC'') AT TIME ZONE ''UTC'' FROM %I', by, parent || '_rest')
    LOOP
        IF to_regclass(month_of(parent, begins)) IS NULL THEN
            PERFORM make_months(parent, by, (begins AT TIME ZONE 'UTC')::date, 1);
        ELSE
            PERFORM move_rest(parent, by, month_of(parent, begins), begins,
                              ((begins AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
        END IF;
    END LOOP;
END $$;

-- Hands the months of `parent` before that of `keep` over to its archive; returns how many.
CREATE FUNCTION archive_months(parent text, keep date) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    part text;
    begins timestamptz;
    handed_over int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('make_months'));
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND c.relname ~ (parent || '_\d{4}_\d{2}$')
          AND to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', keep)
        ORDER BY c.relname
    LOOP
        begins := to_date(right(part, 7), 'YYYY_MM')::timestamp AT TIME ZONE 'UTC';
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, part);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent || '_archive', part,
                       begins, ((begins AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
        handed_over := handed_over + 1;
    END LOOP;
    RETURN handed_over;
END $$;

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

-- A server's role may change no schema (`SCRIP_MIGRATION_DATABASE_URL`): these make, move and drop months as the
-- schema's owner. They have a path of their own, so that nobody slips other tables under them. Only the schema's name
-- is worked out here, since there is no literal for the present one.
DO $$
DECLARE
    of_months text;
BEGIN
    FOREACH of_months IN ARRAY ARRAY['make_months(text, text, date, int)', 'settle_rest(text, text)',
                                     'archive_months(text, date)', 'drop_month(text, date)']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = %I, pg_temp', of_months, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', of_months);
    END LOOP;
END $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Returns an instant as answers and deliveries show it.
CREATE FUNCTION rfc3339(at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Returns an instant with the offset of a zone, in whole seconds, rounded down: 2019-02-06T07:06:17+01:00.
CREATE FUNCTION local_time(at timestamptz, zone text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(at AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN ahead < 0 THEN '-' ELSE '+' END
        || to_char(make_interval(mins => abs(ahead)), 'HH24:MI')
    FROM (SELECT (extract(epoch FROM (at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC')) / 60)::int AS ahead) o
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Lets a role do what servers do, and no more: no DDL; of the journal, only what adds to it.
CREATE FUNCTION grant_to_server(server text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    journal text;
BEGIN
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), server);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), server);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), server);
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %I', current_schema(), server);
    -- Months that are made later are the owner's too.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
                   current_schema(), server);
    FOREACH journal IN ARRAY ARRAY['redemption', 'redemption_rollback', 'activity'] LOOP
        IF to_regclass(journal) IS NOT NULL THEN
            EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', journal, server);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations FROM %I', server);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION grant_to_server FROM %I', server);
END $$;
REVOKE EXECUTE ON FUNCTION grant_to_server FROM PUBLIC;
