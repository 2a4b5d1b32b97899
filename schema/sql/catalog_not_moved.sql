-- What exists beside tables and stays behind: one row a kind, with a count.
with own as (
    -- Schemas of users; what belongs to an extension comes with the extension.
    select n.oid from pg_catalog.pg_namespace n
    where n.nspname not in ('information_schema', 'drover') and n.nspname not like 'pg\_%'
), extension_member as (
    select d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'
), found (place, kind, hint, objects) as (
    select 1, 'views', 'create them on the target (pg_dump --schema-only)', count(*)
    from pg_catalog.pg_class c
    where c.relkind = 'v' and c.relnamespace in (select oid from own)
      and ('pg_catalog.pg_class'::pg_catalog.regclass, c.oid) not in (select classid, objid from extension_member)
    union all
    select 2, 'materialized views', 'create and refresh them on the target', count(*)
    from pg_catalog.pg_class c
    where c.relkind = 'm' and c.relnamespace in (select oid from own)
      and ('pg_catalog.pg_class'::pg_catalog.regclass, c.oid) not in (select classid, objid from extension_member)
    union all
    select 3, 'foreign tables', 'create them on the target', count(*)
    from pg_catalog.pg_class c
    where c.relkind = 'f' and c.relnamespace in (select oid from own)
    union all
    select 4, 'functions and procedures', 'create them on the target', count(*)
    from pg_catalog.pg_proc p
    where p.pronamespace in (select oid from own)
      and ('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid) not in (select classid, objid from extension_member)
    union all
    select 5, 'user-defined types, enums and domains', 'create them on the target', count(*)
    from pg_catalog.pg_type t
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where t.typnamespace in (select oid from own)
      and (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')
           or (t.typtype = 'b' and t.typelem = 0))
      and ('pg_catalog.pg_type'::pg_catalog.regclass, t.oid) not in (select classid, objid from extension_member)
    union all
    select 6, 'triggers', 'create them on the target before its applications start', count(*)
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_class c on c.oid = t.tgrelid
    where not t.tgisinternal and c.relnamespace in (select oid from own)
    union all
    select 7, 'row-level security policies', 'create them on the target', count(*)
    from pg_catalog.pg_policy
    union all
    select 8, 'rules', 'create them on the target', count(*)
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid = r.ev_class
    where r.rulename <> '_RETURN' and c.relnamespace in (select oid from own)
    union all
    select 9, 'event triggers', 'create them on the target', count(*)
    from pg_catalog.pg_event_trigger
    union all
    select 10, 'extensions', 'run create extension on the target', count(*)
    from pg_catalog.pg_extension where extname <> 'plpgsql'
    union all
    select 11, 'extended statistics', 'create them on the target', count(*)
    from pg_catalog.pg_statistic_ext s where s.stxnamespace in (select oid from own)
    union all
    select 12, 'publications', 'create them on the target', count(*)
    from pg_catalog.pg_publication where pubname not like 'drover\_%'
    union all
    select 13, 'subscriptions', 'create them on the target', count(*)
    from pg_catalog.pg_stat_subscription
    union all
    select 14, 'large objects', 'copy them with pg_dump --large-objects', count(*)
    from pg_catalog.pg_largeobject_metadata
    union all
    select 15, 'comments on tables, columns and their objects', 'take them from pg_dump --schema-only', count(*)
    from pg_catalog.pg_description d
    join pg_catalog.pg_class c on c.oid = d.objoid and c.relnamespace in (select oid from own)
    where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and (d.classoid, c.oid) not in (select classid, objid from extension_member)
    union all
    select 16, 'relations with granted privileges', 'take them from pg_dump --schema-only', count(*)
    from pg_catalog.pg_class c
    where c.relacl is not null and c.relkind in ('r', 'v', 'm', 'f', 'p', 'S')
      and c.relnamespace in (select oid from own)
      and ('pg_catalog.pg_class'::pg_catalog.regclass, c.oid) not in (select classid, objid from extension_member)
    union all
    select 17, 'relations of other owners than drover''s role (the owner)', 'run alter table ... owner to on the target', count(*)
    from pg_catalog.pg_class c
    join pg_catalog.pg_roles r on r.oid = c.relowner
    where r.rolname <> current_user and c.relkind = 'r' and c.relnamespace in (select oid from own)
    union all
    select 18, 'settings of the database and of roles in it', 'repeat alter database ... set on the target', count(*)
    from pg_catalog.pg_db_role_setting s
    join pg_catalog.pg_database d on d.oid = s.setdatabase and d.datname = pg_catalog.current_database()
)
select pg_catalog.format('%s %s are not moved: %s', objects, kind, hint)
from found
where objects > 0
order by place
