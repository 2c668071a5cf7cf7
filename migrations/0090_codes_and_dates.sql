-- An own code in the one form that look-up compares it in: made by the server, so that no collation has a say. NULL
-- of a generated code, which is found by its key alone, and of an own one from before that `scrip migrate` or the
-- next server that starts has not come to yet.
ALTER TABLE voucher ADD form text;
DROP INDEX voucher_code;
CREATE UNIQUE INDEX voucher_code ON voucher (key, campaign, COALESCE(form, upper(code)));
CREATE INDEX voucher_formless ON voucher (id) WHERE NOT generated AND form IS NULL;

-- Dates were once taken as `2027-9-1` and `+2027-09-01` too.
CREATE FUNCTION pg_temp.spelled(moment text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(ltrim(moment, ' +'), '-([0-9])(?![0-9])', '-0\1', 'g')
$$;
UPDATE campaign SET starts_on = pg_temp.spelled(starts_on), expires_on = pg_temp.spelled(expires_on)
WHERE starts_on !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' OR expires_on !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}';
UPDATE voucher SET starts_on = pg_temp.spelled(starts_on), expires_on = pg_temp.spelled(expires_on)
WHERE starts_on !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' OR expires_on !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}';
