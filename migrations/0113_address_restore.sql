-- Takes back a change of an account's e-mail address: the token of the mail to the address that it had.

ALTER TABLE account_token ADD address text;
ALTER TABLE account_token DROP CONSTRAINT account_token_purpose_check;
ALTER TABLE account_token ADD CONSTRAINT account_token_purpose_check
    CHECK (purpose IN ('activation', 'reset', 'restore') AND (purpose = 'restore') = (address IS NOT NULL));
