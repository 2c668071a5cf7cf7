-- Host names and gateway numbers are chosen by those who run the machines, so they are unique within a tenant and
-- not beyond it. A tenant is a user group right below a root, with all below it; a root's own machines are a
-- tenant of their own.

CREATE FUNCTION tenant_of(member bigint) RETURNS bigint STABLE LANGUAGE sql AS $$
    SELECT g.id
    FROM user_group_tree t
    JOIN user_group g ON g.id = t.ancestor
    LEFT JOIN user_group above ON above.id = g.parent
    WHERE t.descendant = member AND (g.parent IS NULL OR above.parent IS NULL)
    ORDER BY t.depth LIMIT 1
$$;

ALTER TABLE machine
    ADD tenant bigint REFERENCES user_group,
    -- Host names that differ from an older one's of the tenant in case alone were possible once. They are found by
    -- their exact spelling.
    ADD hostname_twin boolean NOT NULL DEFAULT false;
UPDATE machine SET tenant = tenant_of(user_group);
UPDATE machine m SET hostname_twin = true
WHERE EXISTS (SELECT FROM machine older
              WHERE older.tenant = m.tenant AND lower(older.hostname) = lower(m.hostname) AND older.id < m.id);
ALTER TABLE machine
    ALTER tenant SET NOT NULL,
    DROP CONSTRAINT machine_hostname_key,
    DROP CONSTRAINT machine_gateway_key;

-- As in DNS, case makes no difference.
CREATE UNIQUE INDEX machine_hostname_tenant ON machine (lower(hostname), tenant) WHERE NOT hostname_twin;
CREATE UNIQUE INDEX machine_gateway_tenant ON machine (gateway, tenant);
CREATE INDEX machine_hostname_twin ON machine (hostname) WHERE hostname_twin;
CREATE INDEX machine_hostname ON machine (hostname, id);
CREATE INDEX machine_tenant ON machine (tenant);

CREATE FUNCTION machine_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- No group above moves to another tenant before this machine is seen there.
    PERFORM FROM user_group g JOIN user_group_tree t ON t.ancestor = g.id
    WHERE t.descendant = NEW.user_group ORDER BY g.id FOR SHARE OF g;
    NEW.tenant := tenant_of(NEW.user_group);
    RETURN NEW;
END $$;
CREATE TRIGGER tenant BEFORE INSERT OR UPDATE OF user_group ON machine
    FOR EACH ROW EXECUTE FUNCTION machine_tenant();

CREATE FUNCTION user_group_move_machines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE machine SET tenant = tenant_of(user_group)
    WHERE user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = NEW.id)
      AND tenant IS DISTINCT FROM tenant_of(user_group);
    RETURN NULL;
END $$;
-- By its name, after user_group_move, which puts the tree right.
CREATE TRIGGER user_group_move_machines AFTER UPDATE OF parent ON user_group
    FOR EACH ROW WHEN (OLD.parent IS DISTINCT FROM NEW.parent) EXECUTE FUNCTION user_group_move_machines();

-- The machine that a device id names, among those of a group and of the groups below it: by host name, or by the
-- number of its gateway. `bound` restricts it to that machine alone. Where several tenants below the group have the
-- name, it is the one entered first, so that nobody who comes later takes it over. `is_unique` is false where case
-- tells the name from another's.
CREATE FUNCTION machine_named(named text, gateway_number bigint, within bigint, bound bigint)
    RETURNS TABLE (id bigint, is_unique boolean) STABLE LANGUAGE sql AS $$
    SELECT m.id, NOT EXISTS (SELECT FROM machine t WHERE t.hostname_twin AND lower(t.hostname) = lower(named))
    FROM machine m
    WHERE ((lower(m.hostname) = lower(named) AND NOT m.hostname_twin)
           OR (m.hostname = named AND m.hostname_twin)
           OR m.gateway = gateway_number)
      AND (bound IS NULL OR m.id = bound)
      AND EXISTS (SELECT FROM user_group_tree t WHERE t.ancestor = within AND t.descendant = m.user_group)
    ORDER BY m.hostname_twin DESC, m.id LIMIT 1
$$;

-- No machine that is entered takes over what another is known by.
DROP TRIGGER notice_name ON machine;
