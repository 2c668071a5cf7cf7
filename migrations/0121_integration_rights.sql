-- The events that an integration may be told of, and a second secret for receivers that are still to be given the new one.

ALTER TABLE integration
    -- Permissions to read content, of who last said what it is told of. Those that there are were told of all.
    ADD reads                 text[] NOT NULL DEFAULT '{voucher.read,transaction.read,campaign.read}',
    -- Sealed; signs too until then.
    ADD secret_previous       bytea,
    ADD secret_previous_until timestamptz;
ALTER TABLE integration ALTER reads SET DEFAULT '{}';

-- A code as it is shown to those who may not read vouchers: its prefix tells of which kind it is.
CREATE FUNCTION masked_code(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN strpos(code, '-') > 0 THEN split_part(code, '-', 1) || '-…' ELSE '…' END
$$;

-- A code as it is shown to those who may read the vouchers of a user group and of those below it; without a group nobody may.
CREATE FUNCTION shown_code(code text, campaign bigint, reader bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN EXISTS (
        SELECT FROM campaign c JOIN user_group_tree t ON t.descendant = c.user_group
        WHERE c.id = $2 AND t.ancestor = $3
    ) THEN $1 ELSE masked_code($1) END
$$;

-- The record of changes knows these columns too; what turns note of deliveries is none of it.
DROP TRIGGER activity ON integration;
CREATE TRIGGER activity
    AFTER INSERT OR DELETE OR UPDATE OF user_group, external_id, name, description, kind, url, secret, secret_previous,
        events, reads, active, throttle, max_retries, retry_throttle, stop_on_failure
    ON integration FOR EACH ROW EXECUTE FUNCTION record_change('integration', 'user_group',
        'state problem failures paused_until worker leased_until attempted_at last_lane secret_previous_until',
        'secret secret_previous');
