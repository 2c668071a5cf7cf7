-- An instant with the offset of a zone, in whole seconds, rounded down: 2019-02-06T07:06:17+01:00.
CREATE OR REPLACE FUNCTION local_time(at timestamptz, zone text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(at AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN ahead < 0 THEN '-' ELSE '+' END
        || to_char(make_interval(mins => abs(ahead)), 'HH24:MI')
    FROM (SELECT (extract(epoch FROM (at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC')) / 60)::int AS ahead) o
$$;
