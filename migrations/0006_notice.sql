-- How servers learn that something which they keep in memory has changed. Each notice on the
-- channel 'scrip' is 'noun:id'; a change of a voucher also leaves its code in stale_code until
-- some server has taken it out of Redis, so that no crash in between leaves it there.

CREATE TABLE stale_code (
    id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL
);

-- Redis holds copies stamped with an epoch; raising it makes all of them worthless at once.
CREATE TABLE hot_epoch (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch  bigint NOT NULL,
    -- The Redis server that the copies are in; another one (or the same, restarted) starts cold.
    run_id text
);
INSERT INTO hot_epoch (epoch) VALUES (1);

CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('scrip', TG_ARGV[0] || ':' || COALESCE(to_jsonb(NEW) ->> TG_ARGV[1], to_jsonb(OLD) ->> TG_ARGV[1]));
    RETURN NULL;
END $$;

CREATE TRIGGER notice AFTER UPDATE OR DELETE ON machine FOR EACH ROW EXECUTE FUNCTION notice('machine', 'id');
CREATE TRIGGER notice AFTER UPDATE OR DELETE ON location FOR EACH ROW EXECUTE FUNCTION notice('location', 'id');
CREATE TRIGGER notice AFTER INSERT OR DELETE ON machine_group_machine
    FOR EACH ROW EXECUTE FUNCTION notice('machine', 'machine');
CREATE TRIGGER notice AFTER INSERT OR DELETE ON location_group_location
    FOR EACH ROW EXECUTE FUNCTION notice('location', 'location');
CREATE TRIGGER notice AFTER UPDATE OR DELETE ON user_group FOR EACH ROW EXECUTE FUNCTION notice('group', 'id');
CREATE TRIGGER notice AFTER UPDATE OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION notice('account', 'id');
CREATE TRIGGER notice AFTER UPDATE OF scopes, revoked_at, machine, user_group OR DELETE ON api_key
    FOR EACH ROW EXECUTE FUNCTION notice('key', 'id');
CREATE TRIGGER notice AFTER UPDATE ON hot_epoch FOR EACH ROW EXECUTE FUNCTION notice('epoch', 'epoch');
CREATE TRIGGER notice AFTER UPDATE OR DELETE ON campaign FOR EACH ROW EXECUTE FUNCTION notice('campaign', 'id');
CREATE TRIGGER notice AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION notice('job', 'id');

CREATE FUNCTION campaign_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_version BEFORE UPDATE ON campaign FOR EACH ROW EXECUTE FUNCTION campaign_version();

-- Rules are part of a campaign's terms.
CREATE FUNCTION campaign_rule_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE campaign SET updated_at = now() WHERE id = COALESCE(NEW.campaign, OLD.campaign);
    RETURN NULL;
END $$;
CREATE TRIGGER campaign_rule_version AFTER INSERT OR UPDATE OR DELETE ON campaign_rule
    FOR EACH ROW EXECUTE FUNCTION campaign_rule_version();

CREATE FUNCTION voucher_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.revision := OLD.revision + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
-- Redemptions touch none of these columns, so they do not pay for this.
CREATE TRIGGER voucher_version
    BEFORE UPDATE OF campaign, type, value, redemption_limit, reset_frequency, expires_at, starts_at, time_zone,
        rules, status, inherits ON voucher
    FOR EACH ROW EXECUTE FUNCTION voucher_version();

CREATE FUNCTION voucher_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stale_code (key) VALUES (NEW.key);
    PERFORM pg_notify('scrip', 'code:' || NEW.key);
    RETURN NULL;
END $$;
CREATE TRIGGER voucher_stale
    AFTER UPDATE OF campaign, type, value, redemption_limit, reset_frequency, expires_at, starts_at, time_zone,
        rules, status, inherits ON voucher
    FOR EACH ROW EXECUTE FUNCTION voucher_stale();
-- A generated code is new to the world; an own code may stand in Redis already, for another campaign.
CREATE TRIGGER voucher_stale_own AFTER INSERT ON voucher
    FOR EACH ROW WHEN (NOT NEW.generated) EXECUTE FUNCTION voucher_stale();
