-- All that stands here can be folded from the ledger again. Each row that decides an answer carries a mac over its table and
-- all its values, under a key derived from the master secret.

CREATE TABLE meta (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	position  INTEGER NOT NULL, -- behind the newest entry of the ledger that was folded
	newest    BLOB    NOT NULL, -- hash of that entry's message
	ignored   INTEGER NOT NULL, -- messages so far that were none of an issuer's or a card's
	catalogue BLOB    NOT NULL, -- which issuers and cards there are
	mac       BLOB    NOT NULL
) STRICT;

CREATE TABLE issuers (
	channel       BLOB PRIMARY KEY,
	name          TEXT    NOT NULL,
	url           TEXT    NOT NULL,
	log           TEXT    NOT NULL,
	network       TEXT    NOT NULL,
	next          BLOB    NOT NULL,
	opened_hash   BLOB    NOT NULL,
	opened_index  INTEGER NOT NULL,
	opened_ms     INTEGER NOT NULL,
	head_number   INTEGER NOT NULL,
	head_hash     BLOB    NOT NULL,
	head_index    INTEGER NOT NULL,
	head_ms       INTEGER NOT NULL,
	mac           BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- What a card's registration says: it never changes.
CREATE TABLE cards (
	id      BLOB PRIMARY KEY,
	alg     INTEGER NOT NULL,
	key     BLOB    NOT NULL,
	issuer  BLOB    NOT NULL,
	taps    BLOB    NOT NULL UNIQUE,
	prefix  TEXT    NOT NULL,
	middle  TEXT    NOT NULL,
	subject TEXT    NOT NULL,
	gtin    TEXT    NOT NULL,
	lot     TEXT    NOT NULL,
	serial  TEXT    NOT NULL,
	proof   INTEGER NOT NULL, -- counter of the registration's proof
	number  INTEGER NOT NULL, -- of the registration
	hash    BLOB    NOT NULL,
	idx     INTEGER NOT NULL,
	ms      INTEGER NOT NULL,
	mac     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- How far a card's tap channel has come.
CREATE TABLE heads (
	taps     BLOB PRIMARY KEY,
	number   INTEGER NOT NULL,
	hash     BLOB    NOT NULL, -- zeros while the channel is empty
	idx      INTEGER NOT NULL,
	ms       INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	state    TEXT    NOT NULL,
	settings TEXT    NOT NULL,
	recorded INTEGER NOT NULL,
	retries  BLOB    NOT NULL, -- which rows of retries there are
	mac      BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Which message of a tap channel first carried a retry key.
CREATE TABLE retries (
	taps   BLOB    NOT NULL,
	key    TEXT    NOT NULL,
	number INTEGER NOT NULL,
	PRIMARY KEY (taps, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejections (
	idx     INTEGER PRIMARY KEY,
	channel BLOB    NOT NULL,
	number  INTEGER NOT NULL,
	kind    TEXT    NOT NULL,
	reason  TEXT    NOT NULL
) STRICT;
