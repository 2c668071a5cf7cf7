-- Answers to requests that have created something, by the key that the client sent: the same request again gets the
-- same answer. A row is written in the transaction of what was created.

CREATE TABLE idempotency_key (
    account    bigint REFERENCES account (id) ON DELETE CASCADE,
    api_key    bigint REFERENCES api_key (id) ON DELETE CASCADE,
    operation  text NOT NULL,
    key        text NOT NULL,
    -- SHA-256 of path, query and body.
    request    bytea NOT NULL,
    status     integer NOT NULL,
    -- JSON as it was sent, without secrets; none where the answer had no body.
    answer     text,
    created_at timestamptz NOT NULL,
    CHECK (num_nonnulls(account, api_key) = 1)
);

CREATE UNIQUE INDEX idempotency_key_account ON idempotency_key (account, operation, key) WHERE account IS NOT NULL;
CREATE UNIQUE INDEX idempotency_key_api_key ON idempotency_key (api_key, operation, key) WHERE api_key IS NOT NULL;
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
