-- Months of what is kept by month: a table, its partitions `<table>_YYYY_MM`, one more `<table>_rest`
-- for rows of months that have none yet, and `<table>_archive`, which old months are handed over to.

-- The name of the partition that an instant belongs to.
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

-- Gives rows that came for a month without a partition their place: a new partition, or the archived one.
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

-- The voucher log goes by the same.
DROP FUNCTION voucher_log_months(date, int);
