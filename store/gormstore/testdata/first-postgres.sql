-- A database of the first version, by pg_dump --inserts.
CREATE TABLE gatepass_accounts (
    provider character varying(255) NOT NULL COLLATE pg_catalog."C",
    subject character varying(255) NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL,
    issuer text,
    email text,
    name text,
    username text,
    avatar_url text,
    profile text,
    created_at bigint DEFAULT '-62135596800000000'::bigint NOT NULL,
    updated_at bigint DEFAULT '-62135596800000000'::bigint NOT NULL,
    sealed bytea,
    token_expiry bigint DEFAULT '-62135596800000000'::bigint NOT NULL,
    token_scopes text,
    leased_until bigint DEFAULT '-62135596800000000'::bigint NOT NULL
);
CREATE TABLE gatepass_marks (
    id character varying(255) NOT NULL COLLATE pg_catalog."C",
    ends_at bigint NOT NULL
);
CREATE TABLE gatepass_sessions (
    id character varying(255) NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL,
    provider text,
    subject text,
    sid text,
    auth_time bigint DEFAULT '-62135596800000000'::bigint NOT NULL,
    reauthed boolean,
    created_at bigint DEFAULT '-62135596800000000'::bigint NOT NULL,
    seen_at bigint DEFAULT '-62135596800000000'::bigint NOT NULL,
    expires_at bigint DEFAULT '-62135596800000000'::bigint NOT NULL,
    user_agent text,
    ip text
);
CREATE TABLE gatepass_users (
    id text NOT NULL,
    username text,
    name text,
    email text,
    email_verified boolean,
    avatar_url text,
    locale text,
    disabled boolean,
    created_at timestamp with time zone,
    updated_at timestamp with time zone
);
INSERT INTO gatepass_accounts VALUES ('github', '583231', 'mona7q5jv2ks3t6u4w5x6y7z2a', 'https://github.com', 'Mona@Example.com', 'Mona', 'octocat', '', '{"id":583231,"login":"octo''cat","bio":"a\\b \"q\" ü"}', 1793528430123456, 1793528430123456, '\xfffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0dfdedddcdbdad9d8d7d6d5d4d3d2d1d0cfcecdcccbcac9c8c7c6c5c4c3c2c1c0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0afaeadacabaaa9a8a7a6a5a4a3a2a1a09f9e9d9c9b9a999897969594939291908f8e8d8c8b8a898887868584838281807f7e7d7c7b7a797877767574737271706f6e6d6c6b6a696867666564636261605f5e5d5c5b5a595857565554535251504f4e4d4c4b4a494847464544434241403f3e3d3c3b3a393837363534333231302f2e2d2c2b2a292827262524232221201f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100', 1793557230654321, '["read:user","a b","c,d"]', -62135596800000000);
INSERT INTO gatepass_accounts VALUES ('google', 'ab', 'zoe27q5jv2ks3t6u4w5x6y7z2a', '', '', '', '', '', '', 1738555506789012, 1793528430123456, NULL, -62135596800000000, NULL, -62135596800000000);
INSERT INTO gatepass_accounts VALUES ('google', 'ab ', 'zoe27q5jv2ks3t6u4w5x6y7z2a', '', '', '', '', '', '', 1793528430123456, 1793528430123456, NULL, -62135596800000000, NULL, -62135596800000000);
INSERT INTO gatepass_accounts VALUES ('google', 'Ab', 'mona7q5jv2ks3t6u4w5x6y7z2a', 'https://accounts.google.com', '', '', '', '', '', 1793528430123456, 1793528430123456, '\x9b9a999897969594939291908f8e8d8c8b8a898887868584838281807f7e7d7c7b7a797877767574', -62135596800000000, '', 1793528490123456);
INSERT INTO gatepass_marks VALUES ('mark-A', 4949202030000001);
INSERT INTO gatepass_marks VALUES ('mark-a', 4949202030000002);
INSERT INTO gatepass_sessions VALUES ('0Zb3-0123456789012345678901234567890123456', 'mona7q5jv2ks3t6u4w5x6y7z2a', 'github', '583231', 'sid-1', 1793528430000000, false, 1793528430500000, 1793614830123457, 4949202030000000, 'Mozilla/5.0 (ü)', '2001:db8::1');
INSERT INTO gatepass_sessions VALUES ('0zb3-0123456789012345678901234567890123456', 'mona7q5jv2ks3t6u4w5x6y7z2a', 'github', '583231', 'sid-1', 1793528430000000, true, 1793528430500000, 1793614830123457, 4949202030000000, 'Mozilla/5.0 (ü)', '2001:db8::1');
INSERT INTO gatepass_users VALUES ('app-1', NULL, 'Made by the app', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO gatepass_users VALUES ('mona7q5jv2ks3t6u4w5x6y7z2a', 'octocat', 'Mona Lisa Octocat', 'Mona@Example.com', true, 'https://avatars.example.com/u/583231', 'en-GB', false, '2026-11-01 16:05:30.123+05:45', '2026-11-01 16:05:30.123+05:45');
INSERT INTO gatepass_users VALUES ('zoe27q5jv2ks3t6u4w5x6y7z2a', '', 'Zoë 😀 O''Neil; DROP', 'zoe@example.org', false, '', '', true, '2025-02-03 09:50:06.789+05:45', '2026-11-01 16:05:30.123+05:45');
ALTER TABLE ONLY gatepass_accounts
    ADD CONSTRAINT gatepass_accounts_pkey PRIMARY KEY (provider, subject);
ALTER TABLE ONLY gatepass_marks
    ADD CONSTRAINT gatepass_marks_pkey PRIMARY KEY (id);
ALTER TABLE ONLY gatepass_sessions
    ADD CONSTRAINT gatepass_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY gatepass_users
    ADD CONSTRAINT gatepass_users_pkey PRIMARY KEY (id);
CREATE INDEX gatepass_accounts_user_id ON gatepass_accounts USING btree (user_id);
CREATE INDEX gatepass_marks_ends_at ON gatepass_marks USING btree (ends_at);
CREATE INDEX gatepass_sessions_expires_at ON gatepass_sessions USING btree (expires_at);
CREATE INDEX gatepass_sessions_user_id ON gatepass_sessions USING btree (user_id);
CREATE INDEX gatepass_users_email ON gatepass_users USING btree (lower((email COLLATE "C")));
ALTER TABLE ONLY gatepass_accounts
    ADD CONSTRAINT gatepass_accounts_user FOREIGN KEY (user_id) REFERENCES gatepass_users(id) ON DELETE CASCADE;
