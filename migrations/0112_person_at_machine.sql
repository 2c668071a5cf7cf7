-- A person who redeems or rolls back in a machine's place stands in the journal as `user:#<account>`: the name is looked
-- up when it is read, so that nothing of it stays once the person is erased.

-- Returns the device that an entry of the journal is about: as it called itself, or by its host name.
CREATE FUNCTION device_of(requester text, machine bigint) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT CASE WHEN requester LIKE 'user:#%' THEN (SELECT m.hostname FROM machine m WHERE m.id = machine) ELSE requester END
$$;

-- Returns the account of the person that an entry names, if it names one.
CREATE FUNCTION requester_account(requester text) RETURNS bigint IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT substring(requester FROM '^user:#([0-9]+)$')::bigint
$$;

-- Returns who an entry of the journal or the log names: a device, or `user:<name>`.
CREATE FUNCTION requester_name(requester text) RETURNS text STABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CASE WHEN requester LIKE 'user:#%'
        THEN 'user:' || COALESCE((SELECT username FROM account WHERE id = requester_account(requester)), '')
        ELSE requester END
$$;
