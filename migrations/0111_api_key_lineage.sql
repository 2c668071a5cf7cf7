-- Keys have an owner, the key that made them, an end, and the address of their last use.

ALTER TABLE api_key ADD owner bigint REFERENCES account ON DELETE SET NULL;
ALTER TABLE api_key ADD parent bigint REFERENCES api_key;
ALTER TABLE api_key ADD expires_at timestamptz;
ALTER TABLE api_key ADD last_used_from inet;
UPDATE api_key SET owner = created_by;
CREATE INDEX api_key_owner ON api_key (owner) WHERE revoked_at IS NULL;
CREATE INDEX api_key_parent ON api_key (parent);

-- A key and all that go back to it.
CREATE FUNCTION api_key_line(first bigint) RETURNS SETOF bigint STABLE LANGUAGE sql AS $$
    WITH RECURSIVE line (id) AS (
        SELECT first UNION SELECT k.id FROM api_key k JOIN line ON k.parent = line.id)
    SELECT id FROM line
$$;

-- Keys of users who were deleted before this ended with them.
UPDATE api_key SET revoked_at = now()
WHERE revoked_at IS NULL AND owner IN (SELECT id FROM account WHERE disabled_at IS NOT NULL);

DROP TRIGGER notice ON api_key;
CREATE TRIGGER notice AFTER UPDATE OF scopes, revoked_at, machine, user_group, owner, expires_at OR DELETE ON api_key
    FOR EACH ROW EXECUTE FUNCTION notice('key', 'id');
CREATE TRIGGER activity
    AFTER INSERT OR DELETE OR UPDATE OF user_group, name, machine, scopes, hash, created_by, revoked_at, owner, parent,
        expires_at
    ON api_key FOR EACH ROW
    EXECUTE FUNCTION record_change('apikey', 'user_group', 'last_used_at last_used_from', 'hash');
