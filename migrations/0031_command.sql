-- What machines are told to do. A command waits for its machine's gateway, which fetches it as often
-- as it needs until it says what became of it.

CREATE TABLE command (
    id              uuid PRIMARY KEY,
    -- The order in which a machine's commands were given.
    place           bigint GENERATED ALWAYS AS IDENTITY,
    machine         bigint NOT NULL REFERENCES machine ON DELETE CASCADE,
    command         text NOT NULL,
    params          jsonb NOT NULL,
    -- Commands that were given to many machines in one go.
    batch           uuid,
    state           text NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'delivered', 'done', 'failed', 'expired')),
    created_by      bigint REFERENCES account ON DELETE SET NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    -- When it was first fetched, and how often it was.
    delivered_at    timestamptz,
    attempts        int NOT NULL DEFAULT 0,
    acknowledged_at timestamptz,
    -- What the gateway had to say.
    details         text
);
CREATE INDEX command_due ON command (machine, place) WHERE state IN ('pending', 'delivered');
CREATE INDEX command_lapsing ON command (expires_at) WHERE state IN ('pending', 'delivered');
CREATE INDEX command_machine ON command (machine, id);
CREATE INDEX command_command ON command (command, id);
CREATE INDEX command_batch ON command (batch, id);
CREATE INDEX command_state ON command (state, id);
CREATE INDEX command_created_by ON command (created_by, id);
CREATE INDEX command_created_at ON command (created_at, id);
CREATE INDEX command_expires_at ON command (expires_at, id);

-- Wakes whoever waits for this machine's commands, at whatever server.
CREATE TRIGGER notice AFTER INSERT ON command FOR EACH ROW EXECUTE FUNCTION notice('command', 'machine');
