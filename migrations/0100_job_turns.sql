-- Jobs of one kind are taken from one user group after another: next is the group that was served longest ago.
CREATE TABLE job_turn (
    kind       text NOT NULL,
    user_group bigint NOT NULL REFERENCES user_group ON DELETE CASCADE,
    -- Of the sequence below, when a job of the group was last taken.
    taken      bigint NOT NULL,
    PRIMARY KEY (kind, user_group)
);
CREATE SEQUENCE job_turn_taken;

-- Leads to the first job of each group; of a group with a hundred thousand jobs no more is read than of others.
CREATE INDEX job_queue ON job (kind, user_group, run_at, id) WHERE state IN ('queued', 'running');
DROP INDEX job_due;

-- Mails about alerts wait behind each other, and mails with links to passwords behind none of them.
UPDATE job SET kind = 'send_alert'
WHERE kind = 'send_mail' AND subject IN (SELECT id FROM mail WHERE content IS NOT NULL);
