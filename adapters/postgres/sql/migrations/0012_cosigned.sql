-- What witnesses signed: a line of a checkpoint's note each.
create table log.cosignature (
    size bigint not null references log.checkpoint,
    witness text not null,
    line text not null,
    primary key (size, witness)
);
