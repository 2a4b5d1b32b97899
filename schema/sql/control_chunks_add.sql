-- $1 migration, $2 table, $3 number before the first, $4 and $5 the bounds: array literals in arrays
insert into drover.chunk (migration, table_id, chunk, lower_key, upper_key)
select $1, $2::integer, $3::integer + n::integer, lower_key::text[], upper_key::text[]
  from unnest($4::text[], $5::text[]) with ordinality as bounds (lower_key, upper_key, n)
