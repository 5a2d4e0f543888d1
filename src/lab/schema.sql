-- Roles and tables of the lab; passwords are set separately. Runs once, on the first primary; all of it replicates.
CREATE ROLE replicator LOGIN REPLICATION;
CREATE ROLE app LOGIN;
CREATE ROLE monitoring LOGIN;
-- REPLICATION to make the slot of a server that comes back.
CREATE ROLE mrctl LOGIN REPLICATION;
GRANT pg_monitor TO monitoring;
-- The rights that mrctl needs, and no others: it is not a superuser.
GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO mrctl;
GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only, synchronous_standby_names TO mrctl;
