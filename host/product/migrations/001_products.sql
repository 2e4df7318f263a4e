-- Pictures by the SHA-256 of what is served. Those that nobody shows any more are removed after an hour.
CREATE TABLE images (
	hash   BLOB PRIMARY KEY,
	type   TEXT    NOT NULL,
	width  INTEGER NOT NULL,
	height INTEGER NOT NULL,
	added  INTEGER NOT NULL, -- milliseconds
	bytes  BLOB    NOT NULL
) STRICT;

CREATE TABLE faces (
	issuer  BLOB PRIMARY KEY,
	name    TEXT    NOT NULL,
	website TEXT    NOT NULL,
	support TEXT    NOT NULL,
	logo    BLOB,
	go_on   INTEGER NOT NULL,
	hosts   TEXT    NOT NULL -- JSON
) STRICT;

CREATE TABLE products (
	id      TEXT PRIMARY KEY,
	issuer  BLOB NOT NULL,
	gtin    TEXT NOT NULL, -- 14 digits, or empty
	name    TEXT NOT NULL,
	texts   TEXT NOT NULL, -- JSON
	picture BLOB,
	url     TEXT NOT NULL
) STRICT;

CREATE INDEX products_issuer ON products (issuer, name);

CREATE UNIQUE INDEX products_gtin ON products (issuer, gtin) WHERE gtin <> '';

CREATE TABLE assignments (
	card    BLOB PRIMARY KEY,
	issuer  BLOB NOT NULL,
	product TEXT NOT NULL
) STRICT;

CREATE INDEX assignments_product ON assignments (product);
