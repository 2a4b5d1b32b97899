-- What drover's role lacks on the source for the tables $1 (oid[]): a statement a row. $2: the
-- migration has started, so that its publication exists.
select statement from (
    select distinct 1 as place, pg_catalog.format('grant usage on schema %I to %I;', n.nspname, current_user) as statement
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = any ($1::oid[]) and not pg_catalog.has_schema_privilege(n.oid, 'usage')
    union all
    select 2, pg_catalog.format('grant select on %I.%I to %I;', n.nspname, c.relname, current_user)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = any ($1::oid[]) and not pg_catalog.has_table_privilege(c.oid, 'select')
    union all
    select 3, pg_catalog.format('grant create on database %I to %I;', pg_catalog.current_database(), current_user)
    where not $2::boolean
      and not pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')
    union all
    -- Only the owner of a table can put it into a publication.
    select distinct 4, pg_catalog.format('grant %I to %I;', r.rolname, current_user)
    from pg_catalog.pg_class c
    join pg_catalog.pg_roles r on r.oid = c.relowner
    where c.oid = any ($1::oid[]) and not $2::boolean
      and not pg_catalog.pg_has_role(c.relowner, 'usage')
) missing
order by place, statement
