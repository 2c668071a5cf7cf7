-- The rest of a machine and of its location, and an index for whatever lists can be filtered and
-- sorted by: each ends with the id, which makes an order total.

ALTER TABLE machine
    ADD machine_model       bigint REFERENCES machine_model,
    ADD manufacturer        bigint REFERENCES manufacturer,
    ADD currency            bigint REFERENCES currency DEFAULT 978,
    ADD debtor              bigint,
    ADD tag                 text,
    ADD notes               text,
    ADD virtual_prices      boolean NOT NULL DEFAULT false,
    ADD transaction_profile bigint REFERENCES transaction_profile,
    -- Whether what it sells is kept here, rather than at the machine.
    ADD is_managed_assortment boolean NOT NULL DEFAULT false,
    ADD has_subscription    boolean NOT NULL DEFAULT false,
    ADD rule_set            text,
    -- How far its configuration is on its way; none was ever set where this is NULL.
    ADD config_state        text CHECK (config_state IN ('scheduled', 'sent', 'applied', 'failed'));

-- Machines from before there were models get one of their group.
INSERT INTO manufacturer (user_group, name)
SELECT DISTINCT user_group, 'Unknown' FROM machine;
INSERT INTO error_profile (user_group, name, machine_type, manufacturer)
SELECT DISTINCT m.user_group, 'Unknown', m.machine_type, f.id
FROM machine m JOIN manufacturer f ON f.user_group = m.user_group;
INSERT INTO machine_model (user_group, name, manufacturer, machine_type, error_profile)
SELECT user_group, name, manufacturer, machine_type, id FROM error_profile;
UPDATE machine m SET manufacturer = k.manufacturer, machine_model = k.id
FROM machine_model k WHERE k.user_group = m.user_group AND k.machine_type = m.machine_type;

ALTER TABLE machine
    ALTER machine_model SET NOT NULL,
    ALTER manufacturer SET NOT NULL,
    ALTER currency SET NOT NULL;

-- What changes with every sign of life is kept apart, so that it touches no index of the machine
-- and none that keeps a machine in memory hears of it.
CREATE TABLE machine_presence (
    machine                 bigint PRIMARY KEY REFERENCES machine ON DELETE CASCADE,
    seen_at                 timestamptz,
    last_revenuetransaction bigint,
    last_log                bigint,
    last_iotevent           bigint,
    last_sold               bigint,
    revenuetransaction_synced bigint,
    log_synced              bigint,
    iotevent_synced         bigint
);
CREATE INDEX machine_presence_seen_at ON machine_presence (seen_at);

ALTER TABLE location ADD active_shift bigint;

-- Locations that a group may look at although a group above it has them.
CREATE VIEW shared_location AS
    SELECT user_group, location AS id FROM user_group_location
    UNION ALL
    SELECT g.user_group, l.location
    FROM user_group_location_group g JOIN location_group_location l USING (location_group);
CREATE VIEW shared_location_group AS
    SELECT user_group, location_group AS id FROM user_group_location_group;

DROP TRIGGER notice ON machine;
CREATE TRIGGER notice AFTER UPDATE OF user_group, hostname, gateway, location, machine_type, active OR DELETE
    ON machine FOR EACH ROW EXECUTE FUNCTION notice('machine', 'id');
DROP TRIGGER notice ON location;
CREATE TRIGGER notice AFTER UPDATE OF user_group, external_ref, time_zone OR DELETE
    ON location FOR EACH ROW EXECUTE FUNCTION notice('location', 'id');

-- Enough that Postgres knows how many rows each group has, and does not look for a few of them in
-- all that there are.
ALTER TABLE machine ALTER user_group SET STATISTICS 1000;
ALTER TABLE location ALTER user_group SET STATISTICS 1000;

DROP INDEX machine_location;
CREATE INDEX machine_name ON machine (name, id);
CREATE INDEX machine_name_part ON machine USING gin (name gin_trgm_ops);
CREATE INDEX machine_hostname_part ON machine USING gin (hostname gin_trgm_ops);
CREATE INDEX machine_tag_part ON machine USING gin (tag gin_trgm_ops);
CREATE INDEX machine_location ON machine (location, id);
CREATE INDEX machine_machine_model ON machine (machine_model, id);
CREATE INDEX machine_machine_type ON machine (machine_type, id);
CREATE INDEX machine_manufacturer ON machine (manufacturer, id);
CREATE INDEX machine_currency ON machine (currency, id);
CREATE INDEX machine_debtor ON machine (debtor, id);
CREATE INDEX machine_tag ON machine (tag, id);
CREATE INDEX machine_active ON machine (active, id);
CREATE INDEX machine_virtual_prices ON machine (virtual_prices, id);
CREATE INDEX machine_transaction_profile ON machine (transaction_profile, id);
CREATE INDEX machine_config_state ON machine (config_state, id);
CREATE INDEX machine_is_managed_assortment ON machine (is_managed_assortment, id);
CREATE INDEX machine_has_subscription ON machine (has_subscription, id);
CREATE INDEX machine_created_at ON machine (created_at, id);
CREATE INDEX machine_updated_at ON machine (updated_at, id);

CREATE INDEX location_name ON location (name, id);
CREATE INDEX location_name_part ON location USING gin (name gin_trgm_ops);
CREATE INDEX location_address ON location (address, id);
CREATE INDEX location_place_id ON location (place_id, id);
CREATE INDEX location_postcode ON location (postcode, id);
CREATE INDEX location_city ON location (city, id);
CREATE INDEX location_country ON location (country, id);
CREATE INDEX location_external_ref ON location (external_ref, id);
CREATE INDEX location_time_zone ON location (time_zone, id);
CREATE INDEX location_created_at ON location (created_at, id);
CREATE INDEX location_updated_at ON location (updated_at, id);

CREATE INDEX machine_group_user_group ON machine_group (user_group, id);
CREATE INDEX location_group_user_group ON location_group (user_group, id);
