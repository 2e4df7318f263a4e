-- What an issuer's cards are searched by, in the order of their ids. The rows' macs are not over indexes: a search looks at each row it finds.

CREATE INDEX cards_issuer ON cards (issuer, id);
CREATE INDEX cards_gtin ON cards (issuer, gtin, id) WHERE gtin <> '';
CREATE INDEX cards_lot ON cards (issuer, lot, id) WHERE lot <> '';
CREATE INDEX cards_serial ON cards (issuer, serial, id) WHERE serial <> '';
