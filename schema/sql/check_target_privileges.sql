-- What drover's role lacks on the target: a statement a row. $1: the target schemas (text[]).
select statement from (
    select 1 as place, pg_catalog.format('grant create on database %I to %I;', pg_catalog.current_database(), current_user) as statement
    where not pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')
      and exists (select from pg_catalog.unnest($1::text[] || array['drover']) as x (name)
                  where not exists (select from pg_catalog.pg_namespace n where n.nspname = x.name))
    union all
    select 2, pg_catalog.format('grant usage, create on schema %I to %I;', n.nspname, current_user)
    from pg_catalog.pg_namespace n
    where n.nspname = any ($1::text[] || array['drover'])
      and not (pg_catalog.has_schema_privilege(n.oid, 'usage')
               and pg_catalog.has_schema_privilege(n.oid, 'create'))
) missing
order by place, statement
