-- What a session is found by when a service says that its own has ended, what an
-- app keeps with a session, and browsers that are remembered. Programs of the
-- version before, which know nothing of it, go on: what they insert has null in
-- the new columns.

-- Without the sessions of services that name none, which are most. The beginning
-- of a SID, because an index takes no long text. The index comes first: requests
-- can read sessions while it is made, and not any more once a column is added,
-- which takes no time.
CREATE INDEX gatepass_sessions_sid ON gatepass_sessions (left(sid, 128), provider) WHERE sid <> '';

ALTER TABLE gatepass_sessions ADD COLUMN issuer text, ADD COLUMN family text, ADD COLUMN vals bytea;

-- Without a foreign key: an app may keep its users elsewhere.
CREATE TABLE gatepass_remembered (
    id varchar(255) COLLATE "C" NOT NULL,
    user_id text NOT NULL,
    provider text,
    subject text,
    issuer text,
    sid text,
    validator bytea,
    former bytea,
    created_at bigint NOT NULL DEFAULT -62135596800000000,
    used_at bigint NOT NULL DEFAULT -62135596800000000,
    expires_at bigint NOT NULL DEFAULT -62135596800000000,
    user_agent text,
    ip text,
    PRIMARY KEY (id)
);

CREATE INDEX gatepass_remembered_user_id ON gatepass_remembered (user_id);

CREATE INDEX gatepass_remembered_sid ON gatepass_remembered (left(sid, 128), provider) WHERE sid <> '';

CREATE INDEX gatepass_remembered_expires_at ON gatepass_remembered (expires_at);
