-- Ends the other sessions of a role, named $1 or $1-NUMBER, in this database, and waits a second for each.
select pid, pg_catalog.pg_terminate_backend(pid, 1000) as ended
from pg_catalog.pg_stat_activity
where datname = pg_catalog.current_database()
  and backend_type = 'client backend'
  and pid <> pg_catalog.pg_backend_pid()
  and (application_name = $1 or pg_catalog.starts_with(application_name, $1 || '-'))
