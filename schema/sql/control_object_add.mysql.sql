-- $1 migration, $2 side, $3 kind, $4 name
insert into drover.object (migration, side, kind, name, digest) values ($1, $2, $3, $4, unhex(sha2($4, 256)))
on duplicate key update name = name
