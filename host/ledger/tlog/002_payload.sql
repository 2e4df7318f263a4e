-- A payload is found by its SHA-256, which stands in the stub behind the 92 bytes of the head.
CREATE INDEX entry_payload ON entry (substr(stub, 93, 32));
