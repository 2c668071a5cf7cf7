-- The look of a user name: names that a reader can't tell apart have the same. `scrip migrate` works it out for
-- the names that there are.
ALTER TABLE account ADD look text;
CREATE INDEX account_look ON account (look);
