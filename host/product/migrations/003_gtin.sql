-- A number on a package is looked up without its issuer.
CREATE INDEX products_by_gtin ON products (gtin) WHERE gtin <> '';
