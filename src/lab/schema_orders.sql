-- The database `orders`; runs connected to it.
REVOKE CONNECT ON DATABASE orders FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO app, mrctl, monitoring;
-- Rights on functions count in one database only: here, because here mrctl connects.
GRANT EXECUTE ON FUNCTION pg_reload_conf(), pg_promote(boolean, integer) TO mrctl;
GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) TO mrctl;
CREATE SCHEMA mrctl AUTHORIZATION mrctl;
CREATE TABLE mrctl.probe (run_id text PRIMARY KEY, ts timestamptz NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON mrctl.probe TO mrctl;
CREATE TABLE mrctl.heartbeat (writer text PRIMARY KEY, number bigint NOT NULL, at_ms bigint NOT NULL);
GRANT SELECT, INSERT, UPDATE ON mrctl.heartbeat TO mrctl;
CREATE TABLE orders (
    id text PRIMARY KEY,
    client integer NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE orders OWNER TO app;
