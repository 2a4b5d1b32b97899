"""An independent reader of a bus on Kafka, written after the comments of proto/change.proto alone.

It applies every rule for a reader and raises Broken where the log contradicts itself or what its
headers and counts say of it. What stands is counted for each table.

As a program: `bus_reader.py BOOTSTRAP TOPIC [NAME=VALUE...]` reads a topic to its end (the pairs are
settings of librdkafka) and prints the counts as JSON; exit status 1 for a broken bus.
"""
import argparse
import functools
import json
import os
import sys
import tempfile
import time

import xxhash
from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from grpc_tools import protoc

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto")
EVENTS, CLAIM, HEARTBEAT = range(3)
OPERATIONS = {1: "insert", 2: "update", 3: "delete", 4: "truncate"}
VALUE, ABSENT = 0, 3  # the first and the last kind of a cell


class Broken(Exception):
    """The log is not what a writer that keeps the rules leaves."""


def demand(condition, what):
    if not condition:
        raise Broken(what)


@functools.cache
def messages():
    """The classes of change.proto by name, from a description that is made now."""
    with tempfile.NamedTemporaryFile() as made:
        if protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={made.name}", "change.proto"]) != 0:
            raise RuntimeError("change.proto cannot be compiled")
        files = descriptor_pb2.FileDescriptorSet.FromString(made.read()).file
    classes = message_factory.GetMessages(files, pool=descriptor_pool.DescriptorPool())
    return {name.removeprefix("drover."): kind for name, kind in classes.items()}


def parse(kind, data):
    try:
        message = messages()[kind].FromString(data)
    except DecodeError as wrong:
        raise Broken(f"no {kind}: {wrong}") from wrong
    refuse_unknown_fields(message)
    return message


def refuse_unknown_fields(message):
    demand(len(UnknownFieldSet(message)) == 0, f"a {message.DESCRIPTOR.name} with a field that is not in change.proto")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in (value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]):
                refuse_unknown_fields(part)


def digest(data):
    return xxhash.xxh3_64_intdigest(data)


class Joiner:
    """Messages to packed records: pieces in their order, digests, sizes and numbers."""

    def __init__(self):
        self.first = None  # header of the record that the topic begins with
        self.last = None   # of the last record that is whole, or of the message that names the bus
        self.pieces = []
        self.open = None   # header of the record whose pieces are coming

    def take(self, header, value):
        """(header, packed record) once the record is whole, else None."""
        piece = parse("PiecePb", header)
        demand(len(piece.bus_uuid) == 16, "a bus UUID has not 16 bytes")
        demand(piece.pieces >= 1, f"record {piece.sequence} has no pieces")
        if piece.sequence == 0:
            return self._take_mark(piece, value)
        if self.open is None:
            self._open(piece)
        demand(piece.piece == len(self.pieces),
               f"piece {piece.piece} of record {piece.sequence} came where {len(self.pieces)} of "
               f"{self.open.sequence} must come")
        for field in ("bus_uuid", "epoch", "sequence", "pieces", "digest", "bytes", "size"):
            demand(getattr(piece, field) == getattr(self.open, field),
                   f"the pieces of record {self.open.sequence} differ in {field}")
        self.pieces.append(value)
        return self._close() if len(self.pieces) == piece.pieces else None

    def _take_mark(self, piece, value):
        """A message without a record: the first one names the bus, later ones are claims."""
        demand(not value and piece.bytes == 0 and piece.size == 0 and piece.pieces == 1,
               "a message without a record says more")
        demand(self.open is None, f"a claim stands among the pieces of record {self.open and self.open.sequence}")
        if self.first is None:
            demand(piece.epoch == 0, "the message that names the bus says more")
            self.first = self.last = piece
        else:
            demand(piece.bus_uuid == self.first.bus_uuid, "a claim is of another bus")
            demand(piece.epoch > 0, "a second message names the bus")

    def _open(self, piece):
        if self.first is None:
            self.first = piece
        else:
            demand(piece.bus_uuid == self.last.bus_uuid, f"record {piece.sequence} is of another bus")
            demand(piece.sequence == self.last.sequence + 1,
                   f"record {piece.sequence} comes after {self.last.sequence}")
            demand(piece.bytes == self.last.bytes + piece.size,
                   f"record {piece.sequence} says {piece.bytes} bytes, {self.last.bytes + piece.size} were appended")
        self.open = piece

    def _close(self):
        header, packed = self.open, b"".join(self.pieces)
        demand(len(packed) == header.size, f"record {header.sequence} has {len(packed)} bytes, not {header.size}")
        demand(digest(packed) == header.digest, f"record {header.sequence} has another digest")
        self.last, self.open, self.pieces = header, None, []
        return header, packed

    def at_end(self):
        demand(self.open is None, "the topic ends inside a record")


class Account:
    """Packed records to counts: the chain, epochs, claims, parts, segments, positions."""

    def __init__(self):
        self.predecessor = None  # digest of the record before; None: the first one may have any
        self.bus = self.source = self.first_sequence = None
        self.sequence = 0
        self.epoch = 0           # highest claimed
        self.position = (0, 0)   # last that stands
        self.parts = []          # of the transaction that is being read and was sent at its commit
        self.streamed = {}       # xid: parts of one that was sent while it was open
        self.totals = dict.fromkeys(("records", "claims", "heartbeats", "transactions", "stale_records",
                                     "abandoned_transactions", "repeated_transactions"), 0)
        self.tables = {}

    def take(self, packed, header=None):
        record = parse("RecordPb", packed)
        if header is not None:
            for field in ("bus_uuid", "epoch", "sequence"):
                demand(getattr(record, field) == getattr(header, field),
                       f"record {record.sequence} and its header differ in {field}")
        self._link(record, packed)
        if record.epoch < self.epoch:
            self.totals["stale_records"] += 1
        elif record.kind == CLAIM:
            self._claim(record)
        else:
            self._content(record)

    def _link(self, record, packed):
        demand(len(record.bus_uuid) == 16, "a bus UUID has not 16 bytes")
        demand(record.partition == 0, f"record {record.sequence} is of another partition")
        if self.predecessor is None:
            demand(record.sequence > 1 or record.predecessor == 0, "the first record has a predecessor")
            demand(record.sequence >= 1, "records count from 1")
            self.bus, self.source = record.bus_uuid, record.source_identity
            self.first_sequence = record.sequence
        else:
            demand(record.sequence == self.sequence + 1, f"record {record.sequence} follows {self.sequence}")
            demand(record.predecessor == self.predecessor, f"the chain is broken before record {record.sequence}")
            demand(record.bus_uuid == self.bus, f"record {record.sequence} is of another bus")
            demand(record.source_identity == self.source, f"record {record.sequence} is of another source")
        self.predecessor, self.sequence = digest(packed), record.sequence
        self.totals["records"] += 1

    def _claim(self, record):
        """A capture that lost the bus for a moment claims it again under its own epoch."""
        demand(not record.transactions, "a claim with transactions")
        self.epoch = record.epoch
        self.totals["claims"] += 1
        self.totals["abandoned_transactions"] += (1 if self.parts else 0) + len(self.streamed)
        self.parts, self.streamed = [], {}

    def _content(self, record):
        if record.epoch > self.epoch:
            demand(self.first_sequence > 1 and self.totals["claims"] == 0,
                   f"record {record.sequence} is of epoch {record.epoch}, which nobody claimed")
            self.epoch = record.epoch  # its claim was trimmed
        if record.kind == HEARTBEAT:
            demand(not record.transactions, "a heartbeat with transactions")
            demand(not self.parts, "a heartbeat inside a transaction")
            self.totals["heartbeats"] += 1
            self.position = max(self.position, pair(record.position))
            return
        demand(record.kind == EVENTS, f"record {record.sequence} is of kind {record.kind}")
        for part in record.transactions:
            self._part(part)

    def _part(self, part):
        for change in part.changes:
            check_change(change)
        demand(part.last or not (part.captured or part.segments or part.HasField("position")),
               f"part {part.fragment} of transaction {part.xid} says what only a last one knows")
        if part.segment > 0 or part.segments > 0:
            self._streamed_part(part)
            return
        demand(not self.parts or part.xid == self.parts[0].xid,
               f"transaction {part.xid} inside transaction {self.parts[0].xid if self.parts else 0}")
        self.parts.append(part)
        if part.last:
            parts, self.parts = self.parts, []
            self._transaction(parts)

    def _streamed_part(self, part):
        demand(not self.parts, f"a segment of transaction {part.xid} inside another transaction")
        parts = self.streamed.setdefault(part.xid, [])
        demand(part.last or not parts or part.segment >= parts[-1].segment,
               f"segment {part.segment} of transaction {part.xid} came late")
        parts.append(part)
        if not part.last:
            return
        del self.streamed[part.xid]
        real = range(part.first_segment, part.first_segment + part.segments)
        chosen = [one for one in parts[:-1] if one.segment in real]
        demand({one.segment for one in chosen} == set(real),
               f"transaction {part.xid}: not all of segments {list(real)} are there")
        demand(digest(b"".join(one.SerializeToString() for one in chosen)) == part.segments_digest,
               f"transaction {part.xid}: its segments have another digest")
        self._transaction([*chosen, part])

    def _transaction(self, parts):
        last, changes, counts = parts[-1], 0, {}
        for number, part in enumerate(parts):
            demand(part.fragment == number, f"transaction {last.xid}: part {part.fragment} in place of {number}")
            demand(part.first_sequence == changes, f"transaction {last.xid}: part {number} begins at change "
                                                   f"{part.first_sequence}, not {changes}")
            changes += len(part.changes)
            for change in part.changes:
                counts[change.table] = counts.get(change.table, 0) + 1
        captured = {count.table: count.events for count in last.captured}
        demand(len(captured) == len(last.captured), f"transaction {last.xid} counts a table twice")
        demand(captured == counts, f"transaction {last.xid}: capture counted {captured}, {counts} are there")
        at = pair(last.position)
        demand(at != (0, 0), f"transaction {last.xid} has no position")
        if at <= self.position:
            self.totals["repeated_transactions"] += 1
            return
        self.position = at
        self.totals["transactions"] += 1
        for table in counts:
            self._table(table)["transactions"] += 1
        for part in parts:
            for change in part.changes:
                self._count(change)

    def _table(self, number):
        return self.tables.setdefault(number, dict.fromkeys(
            ("events", "transactions", "rows", *OPERATIONS.values()), 0))

    def _count(self, change):
        table = self._table(change.table)
        table["events"] += 1
        table["rows"] += 1 if change.HasField("row") else 0
        table[OPERATIONS[change.operation]] += 1

    def result(self):
        major, minor = self.position
        return {"bus": self.bus.hex() if self.bus else None, "source": self.source, "epoch": self.epoch,
                "first_sequence": self.first_sequence, "last_sequence": self.sequence,
                "position": f"{major >> 32:X}/{major & 0xffffffff:X}" + (f":{minor}" if minor else ""),
                **self.totals, "tables": {str(number): self.tables[number] for number in sorted(self.tables)}}


def pair(position):
    return position.major, position.minor


def check_change(change):
    demand(change.operation in OPERATIONS, f"a change has operation {change.operation}")
    demand(change.table >= 1, "a change without a table")
    rows = [name for name in ("old_key", "row") if change.HasField(name)]
    allowed = {"insert": [["row"]], "update": [["row"], ["old_key", "row"]], "delete": [["old_key"]],
               "truncate": [[]]}[OPERATIONS[change.operation]]
    demand(rows in allowed, f"{OPERATIONS[change.operation]} with {rows}")
    for name in rows:
        row = getattr(change, name)
        demand(row.values, f"{name} without cells")
        demand(len(row.kinds) in (0, len(row.values)), f"{name} has {len(row.kinds)} kinds of {len(row.values)} cells")
        for kind, value in zip(row.kinds, row.values):
            demand(kind <= ABSENT, f"a cell of kind {kind}")
            demand(kind == VALUE or not value, "a cell that is no value has bytes")


class TopicReader:
    """Reads a topic on and on: each read_to_end() takes what was added. Close it."""

    def __init__(self, bootstrap, topic, properties=None, logger=None):
        common = {"bootstrap.servers": bootstrap, **(properties or {})}
        silent = {"logger": logger} if logger else {}
        self.admin = AdminClient(common, **silent)
        self.consumer = Consumer({**common, "group.id": "unused", "isolation.level": "read_committed",
                                  "enable.auto.commit": False, "enable.partition.eof": True,
                                  "auto.offset.reset": "error", "check.crcs": True}, **silent)
        self.partition = TopicPartition(topic, 0, OFFSET_BEGINNING)
        self.consumer.assign([self.partition])
        self.next_offset = 0
        self.joiner = Joiner()
        self.account = Account()

    def _end(self, limit):
        """Behind everything that was written, transactions that are still open included."""
        until = time.monotonic() + limit
        while True:
            try:
                self.admin.list_topics(self.partition.topic, timeout=1)  # who leads may have changed
                asked = self.admin.list_offsets({self.partition: OffsetSpec.latest()},
                                                isolation_level=IsolationLevel.READ_UNCOMMITTED)
                return asked[self.partition].result(limit).offset
            except KafkaException:  # brokers are away, or have just come back
                if time.monotonic() > until:
                    raise

    def read_to_end(self, limit=120):
        """Until the topic's end as it is now; the counts of everything that was read so far. Waits for the
        end of a transaction that is open: the brokers end one whose writer died after a minute."""
        end = self._end(limit)
        while self.next_offset < end or self.joiner.open is not None:
            message = self.consumer.poll(limit)
            if message is None:
                raise TimeoutError(f"nothing came within {limit} s at offset {self.next_offset} of {end}")
            if message.error() is None:
                self._take(message)
                self.next_offset = message.offset() + 1
            else:
                # The end is behind the mark of a transaction, which is no message.
                demand(message.error().code() == KafkaError._PARTITION_EOF, str(message.error()))
                self.joiner.at_end()
                self.next_offset = message.offset()
        return self.account.result()

    def _take(self, message):
        headers = [value for key, value in message.headers() or [] if key == "drover"]
        demand(len(headers) == 1, f"message at offset {message.offset()} has {len(headers)} headers of drover's")
        whole = self.joiner.take(headers[0], message.value() or b"")
        if whole is not None:
            header, packed = whole
            self.account.take(packed, header)

    def close(self):
        self.consumer.close()


def read_topic(bootstrap, topic, properties=None):
    reader = TopicReader(bootstrap, topic, properties)
    try:
        return reader.read_to_end()
    finally:
        reader.close()


def main():
    arguments = argparse.ArgumentParser(description="Counts what stands on a bus of drover's.")
    arguments.add_argument("bootstrap")
    arguments.add_argument("topic")
    arguments.add_argument("properties", nargs="*", metavar="NAME=VALUE")
    asked = arguments.parse_args()
    try:
        properties = dict(pair.split("=", 1) for pair in asked.properties)
        print(json.dumps(read_topic(asked.bootstrap, asked.topic, properties), indent=2))
        return 0
    except Broken as broken:
        print(f"broken: {broken}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
