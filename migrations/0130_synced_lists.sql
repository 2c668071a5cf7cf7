-- What other systems keep up with in lists of what machines sent: by when it came in, when it was last changed, and
-- the machine's own number.
CREATE INDEX revenue_transaction_created_at ON revenue_transaction (created_at, id);
CREATE INDEX revenue_transaction_archive_created_at ON revenue_transaction_archive (created_at, id);
CREATE INDEX revenue_transaction_updated_at ON revenue_transaction (updated_at, id);
CREATE INDEX revenue_transaction_archive_updated_at ON revenue_transaction_archive (updated_at, id);
CREATE INDEX revenue_transaction_number ON revenue_transaction (remote, id) WHERE remote IS NOT NULL;
CREATE INDEX revenue_transaction_archive_number ON revenue_transaction_archive (remote, id) WHERE remote IS NOT NULL;
CREATE INDEX payment_transaction_created_at ON payment_transaction (created_at, id);
CREATE INDEX payment_transaction_archive_created_at ON payment_transaction_archive (created_at, id);
CREATE INDEX payment_transaction_updated_at ON payment_transaction (updated_at, id);
CREATE INDEX payment_transaction_archive_updated_at ON payment_transaction_archive (updated_at, id);
CREATE INDEX machine_log_created_at ON machine_log (created_at, id);
CREATE INDEX machine_log_archive_created_at ON machine_log_archive (created_at, id);
CREATE INDEX machine_log_updated_at ON machine_log (updated_at, id);
CREATE INDEX machine_log_archive_updated_at ON machine_log_archive (updated_at, id);
CREATE INDEX machine_log_number ON machine_log (remote, id) WHERE remote IS NOT NULL;
CREATE INDEX machine_log_archive_number ON machine_log_archive (remote, id) WHERE remote IS NOT NULL;
