-- What exists beside tables and stays behind: one row a kind, with a count.
select concat(f.objects, ' ', f.kind, ' are not moved: ', f.hint)
from (
    select 1 as place, 'views' as kind, 'create them on the target' as hint, count(*) as objects
    from information_schema.views
    where table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
    union all
    select 2, 'functions and procedures', 'create them on the target', count(*)
    from information_schema.routines
    where routine_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
    union all
    select 3, 'triggers', 'create them on the target before its applications start', count(*)
    from information_schema.triggers
    where trigger_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
    union all
    select 4, 'events', 'create them on the target before its applications start', count(*)
    from information_schema.events
    where event_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
    union all
    select 5, 'sequences', 'create them on the target', count(*)
    from information_schema.tables
    where table_type = 'SEQUENCE'
      and table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
    union all
    select 6, 'accounts with privileges', 'create them on the target', count(distinct grantee)
    from (select grantee from information_schema.schema_privileges
          where table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')
          union
          select grantee from information_schema.table_privileges
          where table_schema not in ('information_schema', 'performance_schema', 'mysql', 'sys', 'ndbinfo', 'drover')) g
) f
where f.objects > 0
order by f.place
