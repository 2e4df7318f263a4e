-- People, machines and how they show who they are. Whatever lets somebody in stands here as its SHA-256 alone.

CREATE TABLE people (
	id         TEXT PRIMARY KEY,
	name       TEXT    NOT NULL,
	created_ms INTEGER NOT NULL,
	seen_ms    INTEGER NOT NULL -- 0 until he first signs in
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
	issuer BLOB NOT NULL,
	person TEXT NOT NULL REFERENCES people,
	role   TEXT NOT NULL,
	PRIMARY KEY (issuer, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX roles_person ON roles (person);

-- One way in each, used once. With a person it is his own way back, and has no issuer and no role.
CREATE TABLE invitations (
	hash       BLOB PRIMARY KEY,
	id         TEXT    NOT NULL UNIQUE,
	issuer     BLOB    NOT NULL,
	role       TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	person     TEXT    NOT NULL,
	setup      INTEGER NOT NULL, -- 1 when it counts only while the issuer has no owner
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invitations_issuer ON invitations (issuer);
CREATE INDEX invitations_expiry ON invitations (expires_ms);

CREATE TABLE passkeys (
	credential BLOB PRIMARY KEY, -- its id, as the authenticator chose it
	id         TEXT    NOT NULL UNIQUE,
	person     TEXT    NOT NULL REFERENCES people,
	name       TEXT    NOT NULL,
	record     TEXT    NOT NULL, -- WebAuthn's credential record, as JSON
	created_ms INTEGER NOT NULL,
	used_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX passkeys_person ON passkeys (person);

CREATE TABLE subjects (
	provider   TEXT    NOT NULL, -- the OpenID provider's issuer
	subject    TEXT    NOT NULL,
	person     TEXT    NOT NULL REFERENCES people,
	created_ms INTEGER NOT NULL,
	used_ms    INTEGER NOT NULL,
	PRIMARY KEY (provider, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX subjects_person ON subjects (person);

CREATE TABLE recovery (
	hash   BLOB PRIMARY KEY,
	person TEXT NOT NULL REFERENCES people
) STRICT, WITHOUT ROWID;

CREATE INDEX recovery_person ON recovery (person);

-- Ceremonies that came to their end, until they would have expired: none is finished twice.
CREATE TABLE used (
	hash       BLOB PRIMARY KEY,
	expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX used_expiry ON used (expires_ms);

CREATE TABLE sessions (
	hash       TEXT PRIMARY KEY,
	id         TEXT    NOT NULL UNIQUE,
	person     TEXT    NOT NULL REFERENCES people,
	agent      TEXT    NOT NULL, -- what the browser calls itself
	created_ms INTEGER NOT NULL,
	seen_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_person ON sessions (person);
CREATE INDEX sessions_created ON sessions (created_ms);

CREATE TABLE keys (
	id         TEXT PRIMARY KEY,
	hash       BLOB    NOT NULL,
	issuer     BLOB    NOT NULL,
	name       TEXT    NOT NULL,
	scopes     TEXT    NOT NULL, -- parted by spaces
	test       INTEGER NOT NULL,
	made_by    TEXT    NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL, -- 0 for never
	used_ms    INTEGER NOT NULL, -- 0 for not yet
	revoked_ms INTEGER NOT NULL  -- 0 while it holds
) STRICT, WITHOUT ROWID;

CREATE INDEX keys_issuer ON keys (issuer);
