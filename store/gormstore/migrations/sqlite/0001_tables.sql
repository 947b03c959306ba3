-- The tables of the first version, for SQLite. The users are as GORM declares
-- them, so that AutoMigrate of a model that embeds User finds nothing to alter.
-- A time that is missing is -62135596800000000, the zero time in microseconds.

CREATE TABLE gatepass_users (
    id text,
    username text,
    name text,
    email text,
    email_verified numeric,
    avatar_url text,
    locale text,
    disabled numeric,
    created_at datetime,
    updated_at datetime,
    PRIMARY KEY (id)
);

CREATE INDEX gatepass_users_email ON gatepass_users (lower(email));

-- To alter a table, GORM copies it, drops it and renames the copy. With foreign
-- keys on, the drop deletes its rows first; ON DELETE CASCADE would then empty
-- the accounts when an app alters a column of its users.
CREATE TABLE gatepass_accounts (
    provider text NOT NULL,
    subject text NOT NULL,
    user_id text NOT NULL,
    issuer text,
    email text,
    name text,
    username text,
    avatar_url text,
    profile text,
    created_at bigint NOT NULL DEFAULT -62135596800000000,
    updated_at bigint NOT NULL DEFAULT -62135596800000000,
    sealed blob,
    token_expiry bigint NOT NULL DEFAULT -62135596800000000,
    token_scopes text,
    leased_until bigint NOT NULL DEFAULT -62135596800000000,
    PRIMARY KEY (provider, subject),
    CONSTRAINT gatepass_accounts_user FOREIGN KEY (user_id) REFERENCES gatepass_users (id)
);

CREATE INDEX gatepass_accounts_user_id ON gatepass_accounts (user_id);

-- Without a foreign key: an app may keep its users elsewhere.
CREATE TABLE gatepass_sessions (
    id text NOT NULL,
    user_id text NOT NULL,
    provider text,
    subject text,
    sid text,
    auth_time bigint NOT NULL DEFAULT -62135596800000000,
    reauthed boolean,
    created_at bigint NOT NULL DEFAULT -62135596800000000,
    seen_at bigint NOT NULL DEFAULT -62135596800000000,
    expires_at bigint NOT NULL DEFAULT -62135596800000000,
    user_agent text,
    ip text,
    PRIMARY KEY (id)
);

CREATE INDEX gatepass_sessions_user_id ON gatepass_sessions (user_id);

CREATE INDEX gatepass_sessions_expires_at ON gatepass_sessions (expires_at);

CREATE TABLE gatepass_marks (
    id text NOT NULL,
    ends_at bigint NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX gatepass_marks_ends_at ON gatepass_marks (ends_at);
