-- A location and a location group become a pair through someone who may change both. Before, it was enough to see
-- one of them, because it was shared: such pairs go when the share goes, as do the choices of reports.

ALTER TABLE location_group_location ADD through_share boolean NOT NULL DEFAULT false;
UPDATE location_group_location p SET through_share = true
FROM location l, location_group g
WHERE l.id = p.location AND g.id = p.location_group AND l.user_group <> g.user_group
  AND (EXISTS (SELECT FROM user_group_location s JOIN user_group_tree t ON t.ancestor = s.user_group
               WHERE s.location = l.id AND t.descendant = g.user_group)
    OR EXISTS (SELECT FROM user_group_location_group s JOIN user_group_tree t ON t.ancestor = s.user_group
               WHERE s.location_group = g.id AND t.descendant = l.user_group));

-- The groups that see each location, or location group, otherwise than as those above its own.
CREATE FUNCTION sees_location(viewer bigint, viewed bigint) RETURNS boolean STABLE LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM location l JOIN user_group_tree t ON t.descendant = l.user_group
                   WHERE l.id = viewed AND t.ancestor = viewer)
        OR EXISTS (SELECT FROM shared_location s JOIN user_group_tree t ON t.ancestor = s.user_group
                   WHERE s.id = viewed AND t.descendant = viewer)
$$;
CREATE FUNCTION sees_location_group(viewer bigint, viewed bigint) RETURNS boolean STABLE LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM location_group g JOIN user_group_tree t ON t.descendant = g.user_group
                   WHERE g.id = viewed AND t.ancestor = viewer)
        OR EXISTS (SELECT FROM shared_location_group s JOIN user_group_tree t ON t.ancestor = s.user_group
                   WHERE s.id = viewed AND t.descendant = viewer)
$$;

-- Takes away what a group, or one below it, had through a share that is gone.
CREATE FUNCTION share_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM location_group_location p
    USING location l, location_group g, user_group_tree t
    WHERE p.through_share AND l.id = p.location AND g.id = p.location_group AND t.ancestor = OLD.user_group
      AND (t.descendant = g.user_group AND NOT sees_location(g.user_group, l.id)
        OR t.descendant = l.user_group AND NOT sees_location_group(l.user_group, g.id));
    DELETE FROM report_location p USING report r, user_group_tree t
    WHERE r.id = p.report AND t.ancestor = OLD.user_group AND t.descendant = r.user_group
      AND NOT sees_location(r.user_group, p.location);
    DELETE FROM report_location_group p USING report r, user_group_tree t
    WHERE r.id = p.report AND t.ancestor = OLD.user_group AND t.descendant = r.user_group
      AND NOT sees_location_group(r.user_group, p.location_group);
    RETURN NULL;
END $$;
CREATE TRIGGER share_withdrawn AFTER DELETE ON user_group_location
    FOR EACH ROW EXECUTE FUNCTION share_withdrawn();
CREATE TRIGGER share_withdrawn AFTER DELETE ON user_group_location_group
    FOR EACH ROW EXECUTE FUNCTION share_withdrawn();
