-- Vouchers' rules trust a location's reference as far as the one who wrote it can be trusted: a group that the
-- writer belonged to. References from before this count as written by the root, so that campaigns go on.
ALTER TABLE location ADD external_ref_group bigint REFERENCES user_group;
UPDATE location l SET external_ref_group = (SELECT t.ancestor FROM user_group_tree t JOIN user_group g ON g.id = t.ancestor
                                            WHERE t.descendant = l.user_group AND g.parent IS NULL)
WHERE external_ref IS NOT NULL;
COMMENT ON COLUMN location.external_ref_group IS 'The group that wrote external_ref; without it, the location''s own';

CREATE FUNCTION location_reference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Writing again what is there takes it away from nobody above.
    IF NEW.external_ref IS NOT DISTINCT FROM OLD.external_ref
        AND EXISTS (SELECT FROM user_group_tree WHERE ancestor = COALESCE(OLD.external_ref_group, OLD.user_group)
                                                  AND descendant = NEW.external_ref_group) THEN
        NEW.external_ref_group := OLD.external_ref_group;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reference BEFORE UPDATE OF external_ref, external_ref_group ON location
    FOR EACH ROW EXECUTE FUNCTION location_reference();

DROP TRIGGER notice ON location;
CREATE TRIGGER notice AFTER UPDATE OF user_group, external_ref, external_ref_group, time_zone OR DELETE
    ON location FOR EACH ROW EXECUTE FUNCTION notice('location', 'id');
