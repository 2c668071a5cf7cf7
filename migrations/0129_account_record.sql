-- The record of changes leaves out what a user name looks like, which follows from the name.
DROP TRIGGER activity ON account;
CREATE TRIGGER activity AFTER INSERT OR UPDATE OR DELETE ON account FOR EACH ROW
    EXECUTE FUNCTION record_change('user', 'user_group', 'session_generation look', 'password_hash');
