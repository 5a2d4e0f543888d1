-- The database `orders`; runs connected to it.
REVOKE CONNECT ON DATABASE orders FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO app, mrctl, monitoring;
CREATE SCHEMA mrctl AUTHORIZATION mrctl;
CREATE TABLE mrctl.probe (run_id text PRIMARY KEY, ts timestamptz NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON mrctl.probe TO mrctl;
CREATE TABLE orders (
    id text PRIMARY KEY,
    client integer NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE orders OWNER TO app;
