-- The tables of the first version, for MySQL and MariaDB. The users are as GORM
-- declares them, so that AutoMigrate of a model that embeds User finds nothing
-- to alter. A time that is missing is -62135596800000000, the zero time in
-- microseconds. Keys are varbinary, because every collation of old versions pads
-- with spaces.

CREATE TABLE gatepass_users (
    id varchar(191) NOT NULL,
    username longtext,
    name longtext,
    email longtext,
    email_verified boolean,
    avatar_url longtext,
    locale longtext,
    disabled boolean,
    created_at datetime(3),
    updated_at datetime(3),
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- If an app's AutoMigrate has made the table, its IDs compare as the database
-- does, and no foreign key could refer to them. It is left out if they compare
-- so already: a column that has a foreign key cannot be altered.
ALTER TABLE gatepass_users MODIFY id varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL;

-- MySQL and MariaDB have no index on an expression in common.
ALTER TABLE gatepass_users ADD COLUMN email_key varchar(320) GENERATED ALWAYS AS (lower(left(email, 320))) STORED;

CREATE INDEX gatepass_users_email ON gatepass_users (email_key);

CREATE TABLE gatepass_accounts (
    provider varbinary(255) NOT NULL,
    subject varbinary(255) NOT NULL,
    user_id varchar(191) NOT NULL,
    issuer longtext,
    email longtext,
    name longtext,
    username longtext,
    avatar_url longtext,
    profile longtext,
    created_at bigint NOT NULL DEFAULT -62135596800000000,
    updated_at bigint NOT NULL DEFAULT -62135596800000000,
    sealed longblob,
    token_expiry bigint NOT NULL DEFAULT -62135596800000000,
    token_scopes longtext,
    leased_until bigint NOT NULL DEFAULT -62135596800000000,
    PRIMARY KEY (provider, subject),
    CONSTRAINT gatepass_accounts_user FOREIGN KEY (user_id) REFERENCES gatepass_users (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE INDEX gatepass_accounts_user_id ON gatepass_accounts (user_id);

-- Without a foreign key: an app may keep its users elsewhere.
CREATE TABLE gatepass_sessions (
    id varbinary(255) NOT NULL,
    user_id varchar(191) NOT NULL,
    provider longtext,
    subject longtext,
    sid longtext,
    auth_time bigint NOT NULL DEFAULT -62135596800000000,
    reauthed boolean,
    created_at bigint NOT NULL DEFAULT -62135596800000000,
    seen_at bigint NOT NULL DEFAULT -62135596800000000,
    expires_at bigint NOT NULL DEFAULT -62135596800000000,
    user_agent longtext,
    ip longtext,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE INDEX gatepass_sessions_user_id ON gatepass_sessions (user_id);

CREATE INDEX gatepass_sessions_expires_at ON gatepass_sessions (expires_at);

CREATE TABLE gatepass_marks (
    id varbinary(255) NOT NULL,
    ends_at bigint NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE INDEX gatepass_marks_ends_at ON gatepass_marks (ends_at);
