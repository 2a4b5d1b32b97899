-- $1 schema, quoted where it must be
select pg_catalog.to_regnamespace($1) is not null
