-- What a session is found by when a service says that its own has ended, what an
-- app keeps with a session, and browsers that are remembered. Programs of the
-- version before, which know nothing of it, go on: what they insert has null in
-- the new columns.

-- The beginnings alone, because an index takes no long text. There are no indexes
-- of some rows.
CREATE INDEX gatepass_sessions_sid ON gatepass_sessions (sid(128), provider(32));

-- At once, so that a version that copies the table for it does so once.
ALTER TABLE gatepass_sessions ADD COLUMN issuer longtext, ADD COLUMN family longtext, ADD COLUMN vals longblob;

-- Without a foreign key: an app may keep its users elsewhere.
CREATE TABLE gatepass_remembered (
    id varbinary(255) NOT NULL,
    user_id varchar(191) NOT NULL,
    provider longtext,
    subject longtext,
    issuer longtext,
    sid longtext,
    validator longblob,
    former longblob,
    created_at bigint NOT NULL DEFAULT -62135596800000000,
    used_at bigint NOT NULL DEFAULT -62135596800000000,
    expires_at bigint NOT NULL DEFAULT -62135596800000000,
    user_agent longtext,
    ip longtext,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE INDEX gatepass_remembered_user_id ON gatepass_remembered (user_id);

CREATE INDEX gatepass_remembered_sid ON gatepass_remembered (sid(128), provider(32));

CREATE INDEX gatepass_remembered_expires_at ON gatepass_remembered (expires_at);
