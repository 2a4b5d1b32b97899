-- $1 migration, $2 side, $3 kind, $4 name
insert into drover.object (migration, side, kind, name) values ($1, $2, $3, $4)
on conflict do nothing
