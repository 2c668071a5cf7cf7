-- An edit of terms is no reset. A period is named by the moment at which it began, which no edit changes; what a new
-- calendar begins counts from the edit on, and what was due by the calendar before it has happened.

ALTER TABLE campaign
    ADD COLUMN calendar_since   timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN former_calendars jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN campaign.calendar_since IS 'When reset_frequency and time_zone came into force; 1970 for the first';
COMMENT ON COLUMN campaign.former_calendars IS 'Those before: [{"reset", "zone", "since"}], the last one first';

-- NULL: never.
ALTER TABLE voucher ADD COLUMN terms_since timestamptz;
COMMENT ON COLUMN voucher.terms_since IS 'When its own terms last changed: its state was brought up to date then';
COMMENT ON COLUMN voucher.period_start IS 'When the period began that the counters are about: a reset, or the creation';
COMMENT ON COLUMN redemption.period_start IS 'voucher.period_start then: which period a rollback gives back to';

-- The rule of redemption/period.rs for lists and filters.

CREATE FUNCTION start_of_period(frequency text, zone text, moment timestamptz) RETURNS timestamptz
STABLE STRICT PARALLEL SAFE LANGUAGE plpgsql AS $$
DECLARE
    civil timestamp;
    start timestamptz;
BEGIN
    IF frequency = 'never' THEN
        RETURN 'epoch';
    END IF;
    civil := date_trunc(frequency, moment AT TIME ZONE zone);
    start := civil AT TIME ZONE zone;
    -- Where clocks go back at midnight, there are two of it: the first counts.
    IF (start - interval '1 hour') AT TIME ZONE zone = civil THEN
        RETURN start - interval '1 hour';
    END IF;
    RETURN start;
END $$;
COMMENT ON FUNCTION start_of_period IS 'When the day, week or month began that a moment is in; 1970 for never';

CREATE FUNCTION last_reset(own_reset text, own_zone text, terms_since timestamptz, reset text, zone text,
                           calendar_since timestamptz, former_calendars jsonb, moment timestamptz) RETURNS timestamptz
STABLE PARALLEL SAFE LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz := calendar_since;
    until timestamptz := moment;
    start timestamptz := start_of_period(COALESCE(own_reset, reset), COALESCE(own_zone, zone), moment);
    former record;
BEGIN
    IF start > GREATEST(since, terms_since) THEN
        RETURN start;
    END IF;
    FOR former IN
        SELECT entry->>'reset' AS reset, entry->>'zone' AS zone, (entry->>'since')::timestamptz AS since
        FROM jsonb_array_elements(former_calendars) WITH ORDINALITY AS entries(entry, nth) ORDER BY nth
    LOOP
        until := LEAST(until, since);
        EXIT WHEN until <= terms_since;
        start := start_of_period(COALESCE(own_reset, former.reset), COALESCE(own_zone, former.zone), until);
        IF start > GREATEST(former.since, terms_since) THEN
            RETURN start;
        END IF;
        since := former.since;
    END LOOP;
    RETURN 'epoch';
END $$;
COMMENT ON FUNCTION last_reset IS
    'When a voucher''s counters last started again, given its own frequency and zone (NULL: the campaign''s), '
    'voucher.terms_since and the campaign''s calendars; it is due where voucher.period_start is before';

-- A voucher that is gone leaves Redis, where others may share its code.
CREATE OR REPLACE FUNCTION voucher_stale() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    code text := COALESCE(NEW.key, OLD.key);
BEGIN
    INSERT INTO stale_code (key) VALUES (code);
    PERFORM pg_notify('scrip', 'code:' || code);
    RETURN NULL;
END $$;
CREATE TRIGGER voucher_stale_gone AFTER DELETE ON voucher
    FOR EACH ROW WHEN (NOT OLD.generated) EXECUTE FUNCTION voucher_stale();

-- Copies of before lack when terms changed.
UPDATE hot_epoch SET epoch = epoch + 1;
