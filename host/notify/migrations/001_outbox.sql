-- Where events are sent: webhooks, and people who get mail. The secret of a webhook is derived from the master secret and its id.

CREATE TABLE targets (
	id       TEXT PRIMARY KEY,
	issuer   BLOB    NOT NULL,
	medium   TEXT    NOT NULL, -- webhook or mail
	address  TEXT    NOT NULL, -- a URL, or a mail address
	kinds    TEXT    NOT NULL, -- of events, with spaces around each
	created  INTEGER NOT NULL, -- Unix time in milliseconds, as are all times here
	removed  INTEGER NOT NULL DEFAULT 0,
	leased   INTEGER NOT NULL DEFAULT 0, -- until when some process delivers there, and others do not
	failures INTEGER NOT NULL DEFAULT 0, -- in a row
	pause    INTEGER NOT NULL DEFAULT 0  -- until when it is left alone after a failure
) STRICT, WITHOUT ROWID;

CREATE INDEX targets_by_issuer ON targets (issuer, removed, created);
CREATE INDEX targets_there ON targets (removed, id);

CREATE TABLE events (
	id     TEXT PRIMARY KEY,
	issuer BLOB    NOT NULL,
	kind   TEXT    NOT NULL,
	time   INTEGER NOT NULL,
	data   TEXT    NOT NULL,
	noted  INTEGER NOT NULL -- when it was published
) STRICT, WITHOUT ROWID;

CREATE INDEX events_by_age ON events (noted, id);

-- One event on its way to one target.
CREATE TABLE deliveries (
	event    TEXT    NOT NULL,
	target   TEXT    NOT NULL,
	issuer   BLOB    NOT NULL,
	noted    INTEGER NOT NULL,
	state    TEXT    NOT NULL, -- waiting, delivered or given_up
	attempts INTEGER NOT NULL DEFAULT 0,
	next     INTEGER NOT NULL, -- when it is tried next
	done     INTEGER NOT NULL DEFAULT 0,
	error    TEXT    NOT NULL DEFAULT '', -- of the last try
	PRIMARY KEY (event, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (target, state, next);
CREATE INDEX deliveries_by_issuer ON deliveries (issuer, noted, event);
CREATE INDEX deliveries_by_state ON deliveries (state, noted);
