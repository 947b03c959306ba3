-- The tables of the first version, for PostgreSQL. The users are as GORM
-- declares them, so that AutoMigrate of a model that embeds User finds nothing
-- to alter. A time that is missing is -62135596800000000, the zero time in
-- microseconds. COLLATE "C" compares byte for byte.

CREATE TABLE gatepass_users (
    id text,
    username text,
    name text,
    email text,
    email_verified boolean,
    avatar_url text,
    locale text,
    disabled boolean,
    created_at timestamptz,
    updated_at timestamptz,
    PRIMARY KEY (id)
);

-- Lower-case ASCII letters alone, whatever the database's language.
CREATE INDEX gatepass_users_email ON gatepass_users (lower(email COLLATE "C"));

CREATE TABLE gatepass_accounts (
    provider varchar(255) COLLATE "C" NOT NULL,
    subject varchar(255) COLLATE "C" NOT NULL,
    user_id text NOT NULL,
    issuer text,
    email text,
    name text,
    username text,
    avatar_url text,
    profile text,
    created_at bigint NOT NULL DEFAULT -62135596800000000,
    updated_at bigint NOT NULL DEFAULT -62135596800000000,
    sealed bytea,
    token_expiry bigint NOT NULL DEFAULT -62135596800000000,
    token_scopes text,
    leased_until bigint NOT NULL DEFAULT -62135596800000000,
    PRIMARY KEY (provider, subject),
    CONSTRAINT gatepass_accounts_user FOREIGN KEY (user_id) REFERENCES gatepass_users (id) ON DELETE CASCADE
);

CREATE INDEX gatepass_accounts_user_id ON gatepass_accounts (user_id);

-- Without a foreign key: an app may keep its users elsewhere.
CREATE TABLE gatepass_sessions (
    id varchar(255) COLLATE "C" NOT NULL,
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
    id varchar(255) COLLATE "C" NOT NULL,
    ends_at bigint NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX gatepass_marks_ends_at ON gatepass_marks (ends_at);
