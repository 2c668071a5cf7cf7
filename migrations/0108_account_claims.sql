-- An address belongs to the account that has confirmed it: others may claim it, and learn nothing by that. A user
-- name is nobody else's within the tree of whoever gives it, which is for the server to check.
DROP INDEX account_username;
DROP INDEX account_email;
CREATE INDEX account_username ON account (lower(username));
CREATE INDEX account_email ON account (lower(email));
CREATE UNIQUE INDEX account_email_confirmed ON account (lower(email)) WHERE email_confirmed AND disabled_at IS NULL;
