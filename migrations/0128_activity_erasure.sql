-- Takes a person out of the record of activity, where there is one: what rows held of the account before and after a
-- change, what anything held of its name or address as a word, and where it called from. That it acted stays. The record
-- is append-only but for this, which runs as its owner.
CREATE FUNCTION erase_from_activity(erased bigint, its_name text, its_address text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    IF to_regclass('activity') IS NULL THEN
        RETURN;
    END IF;
    SELECT string_agg('\m' || regexp_replace(word, '([^[:alnum:]])', '\\\1', 'g') || '\M', '|') INTO told
    FROM unnest(ARRAY[its_name, its_address]) AS word;
    ALTER TABLE activity DISABLE TRIGGER activity_append_only;
    UPDATE activity SET before = NULL, after = NULL
    WHERE (noun = 'user' AND subject = erased::text) OR before::text ~* told OR after::text ~* told;
    UPDATE activity SET address = NULL WHERE account = erased AND address IS NOT NULL;
    ALTER TABLE activity ENABLE TRIGGER activity_append_only;
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION erase_from_activity SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    REVOKE EXECUTE ON FUNCTION erase_from_activity FROM PUBLIC;
END $$;
