-- Servers keep of a group its place in the tree and what it allows. A new name makes no server forget
-- anything.
DROP TRIGGER notice ON user_group;
CREATE TRIGGER notice AFTER UPDATE ON user_group FOR EACH ROW
    WHEN ((OLD.parent, OLD.permissions, OLD.disabled_at, OLD.deleted)
        IS DISTINCT FROM (NEW.parent, NEW.permissions, NEW.disabled_at, NEW.deleted))
    EXECUTE FUNCTION notice('group', 'id');
CREATE TRIGGER notice_deleted AFTER DELETE ON user_group FOR EACH ROW EXECUTE FUNCTION notice('group', 'id');
