-- Tokens that were accepted once. A row stays until long after its token has expired.

CREATE TABLE used (
	jti     TEXT PRIMARY KEY,
	expires INTEGER NOT NULL -- Unix time in seconds, as the token says
) STRICT, WITHOUT ROWID;

CREATE INDEX used_by_expiry ON used (expires);
