-- What a user name looks like: names that a reader can't tell apart have the same. NULL where the name was there
-- before and looks like an older one. `scrip migrate` works it out for the names that there are.
ALTER TABLE account ADD look text;
CREATE UNIQUE INDEX account_look ON account (look);
