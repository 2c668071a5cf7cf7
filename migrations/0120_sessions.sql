-- Sessions that end: when a log-in began, when a refresh token was exchanged, and log-ins whose access tokens are
-- good no longer. Addresses from which an account has logged in.

ALTER TABLE refresh_token
    ADD began_at timestamptz,
    -- When its successor was first handed out.
    ADD used_at  timestamptz;
UPDATE refresh_token SET began_at = created_at;
-- Servers of before leave it out.
ALTER TABLE refresh_token
    ALTER began_at SET DEFAULT now(),
    ALTER began_at SET NOT NULL;

-- Kept for as long as an access token of the log-in may be good.
CREATE TABLE ended_session (
    family   uuid PRIMARY KEY,
    account  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    ended_at timestamptz NOT NULL
);
CREATE INDEX ended_session_account ON ended_session (account);

CREATE TRIGGER ended_session_notice AFTER INSERT ON ended_session
    FOR EACH ROW EXECUTE FUNCTION notice('account', 'account');

CREATE TABLE login_address (
    account bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    address inet NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (account, address)
);
