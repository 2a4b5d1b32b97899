"""The independent reader of the bus, on records made by hand and on a real topic."""
import itertools
import json
import os
import subprocess
import sys

import pytest
from confluent_kafka import Producer

from bus_reader import CLAIM, EVENTS, HEARTBEAT, Account, Broken, Joiner, TopicReader, digest, messages
from kafka import SILENT, Kafka

BUS = bytes(range(16))
DELETE, INSERT, TRUNCATE, UPDATE = 3, 1, 4, 2


def change(operation=INSERT, table=1):
    made = messages()["ChangePb"](operation=operation, table=table)
    if operation in (INSERT, UPDATE):
        made.row.values.extend([b"\0\0\0\1", b""])
        made.row.kinds = b"\0\1"
    if operation == DELETE:
        made.old_key.values.append(b"\0\0\0\1")
    return made


def part(xid, *changes, fragment=0, first_sequence=0, segment=0, before=(), at=None, **last):
    """A part; with `at` the last one. before: changes of the parts that came before."""
    made = messages()["TransactionPb"](xid=xid, fragment=fragment, first_sequence=first_sequence, segment=segment,
                                       changes=changes, **last)
    if at is not None:
        made.last = True
        made.position.major = at
        tables = sorted(one.table for one in (*before, *changes))
        for table, group in itertools.groupby(tables):
            made.captured.add(table=table, events=len(list(group)))
    return made


class Log:
    """Packed records in a chain."""

    def __init__(self):
        self.records = []

    def add(self, *transactions, kind=EVENTS, epoch=1, at=0, **changed):
        record = messages()["RecordPb"](bus_uuid=BUS, epoch=epoch, sequence=len(self.records) + 1, kind=kind,
                                        predecessor=digest(self.records[-1]) if self.records else 0,
                                        source_identity="7/1", transactions=transactions)
        if at:
            record.position.major = at
        for field, value in changed.items():
            setattr(record, field, value)
        self.records.append(record.SerializeToString())
        return self

    def claim(self, epoch, at=0):
        return self.add(kind=CLAIM, epoch=epoch, at=at)

    def read(self):
        account = Account()
        for record in self.records:
            account.take(record)
        return account.result()


@pytest.fixture
def log():
    return Log().claim(1)


def messages_of(log, pieces=1):
    """Headers and values as they stand on Kafka, the message that names the bus first."""
    piece = messages()["PiecePb"]
    found, appended = [(piece(bus_uuid=BUS, pieces=1).SerializeToString(), b"")], 0
    for sequence, packed in enumerate(log.records, 1):
        appended += len(packed)
        size = -(-len(packed) // pieces)
        epoch = messages()["RecordPb"].FromString(packed).epoch
        for number in range(pieces):
            header = piece(bus_uuid=BUS, epoch=epoch, sequence=sequence, piece=number, pieces=pieces,
                           digest=digest(packed), bytes=appended, size=len(packed))
            found.append((header.SerializeToString(), packed[number * size:(number + 1) * size]))
    return found


def join(found):
    joiner = Joiner()
    return [whole[1] for whole in (joiner.take(*message) for message in found) if whole is not None]


# ---- what is counted ----

def test_events_are_counted_by_table(log):
    log.add(part(5, change(), change(UPDATE), change(DELETE, 2), at=10), part(6, change(TRUNCATE, 2), at=20))
    log.add(kind=HEARTBEAT, at=30)
    result = log.read()
    assert result["tables"] == {
        "1": {"events": 2, "transactions": 1, "rows": 2, "insert": 1, "update": 1, "delete": 0, "truncate": 0},
        "2": {"events": 2, "transactions": 2, "rows": 0, "insert": 0, "update": 0, "delete": 1, "truncate": 1}}
    assert (result["transactions"], result["claims"], result["heartbeats"], result["records"]) == (2, 1, 1, 3)
    assert result["position"] == "0/1E"


def test_parts_of_a_transaction_are_one_transaction(log):
    first, second = [change(), change()], [change(table=2)]
    log.add(part(5, *first)).add(part(5, *second, fragment=1, first_sequence=2, before=first, at=10))
    result = log.read()
    assert result["transactions"] == 1
    assert {table: counts["events"] for table, counts in result["tables"].items()} == {"1": 2, "2": 1}


def test_transaction_at_a_position_that_was_read_is_counted_once(log):
    log.add(part(5, change(), at=10)).claim(2, at=10)
    log.add(part(5, change(), at=10), epoch=2).add(part(6, change(), at=11), epoch=2)
    result = log.read()
    assert (result["transactions"], result["repeated_transactions"]) == (2, 1)
    assert result["tables"]["1"]["events"] == 2


def test_record_of_a_lower_epoch_after_a_claim_counts_nothing(log):
    log.claim(2).add(part(5, change(), at=10), epoch=1).add(part(5, change(), at=10), epoch=2)
    result = log.read()
    assert (result["stale_records"], result["transactions"], result["claims"]) == (1, 1, 2)
    assert result["tables"]["1"]["events"] == 1


def test_claim_forgets_a_transaction_that_was_not_complete(log):
    log.add(part(5, change(), change())).claim(2).add(part(5, change(), at=10), epoch=2)
    result = log.read()
    assert (result["abandoned_transactions"], result["transactions"]) == (1, 1)
    assert result["tables"]["1"]["events"] == 1


def streamed(xid, segments, at, first_segment, own=()):
    """Parts of the segments {number: changes}, and the last part, which names those from first_segment."""
    parts, before = [], []
    for number, changes in segments.items():
        if number == first_segment:
            before = []  # the stream begins again
        parts.append(part(xid, *changes, segment=number, fragment=max(number - first_segment, 0),
                          first_sequence=len(before)))
        before += changes
    real = [one for one in parts if one.segment >= first_segment]
    last = part(xid, *own, fragment=len(real), first_sequence=len(before), before=before, at=at,
                first_segment=first_segment, segments=len(real),
                segments_digest=digest(b"".join(one.SerializeToString() for one in real)))
    return parts, last


def test_segments_stand_once_the_commit_names_them_and_others_come_between(log):
    parts, last = streamed(5, {1: [change()], 2: [change(), change(table=2)]}, 20, 1, own=[change()])
    log.add(parts[0], part(6, change(), at=10)).add(parts[1]).add(last)
    result = log.read()
    assert result["transactions"] == 2
    assert {table: counts["events"] for table, counts in result["tables"].items()} == {"1": 4, "2": 1}


def test_segments_of_an_abandoned_stream_count_nothing(log):
    parts, last = streamed(5, {1: [change(), change()], 2: [change()], 3: [change()]}, 20, 2)
    log.add(*parts).add(last)
    result = log.read()
    assert result["tables"]["1"]["events"] == 2


def test_segments_before_a_claim_are_forgotten(log):
    parts, _ = streamed(5, {1: [change()]}, 20, 1)
    again, last = streamed(5, {1: [change(), change()]}, 20, 1)
    log.add(*parts).claim(2).add(*again, epoch=2).add(last, epoch=2)
    result = log.read()
    assert (result["abandoned_transactions"], result["tables"]["1"]["events"]) == (1, 2)


def test_an_epoch_that_is_claimed_again_forgets_what_was_incomplete(log):
    log.add(part(5, change())).claim(1).add(part(6, change(), at=20))
    result = log.read()
    assert (result["claims"], result["abandoned_transactions"], result["transactions"]) == (2, 1, 1)


# ---- what is broken ----

def broken(log, words):
    with pytest.raises(Broken, match=words):
        log.read()


def test_lost_record_breaks_the_log(log):
    log.add(part(5, change(), at=10)).add(part(6, change(), at=20))
    del log.records[1]
    broken(log, "record 3 follows 1")


def test_exchanged_record_breaks_the_chain(log):
    other = Log().claim(1).add(part(5, change(), at=10)).add(part(6, change(), at=20))
    log.add(part(7, change(), at=10))
    log.records.append(other.records[2])
    broken(log, "chain is broken before record 3")


@pytest.mark.parametrize("field, value, words", [
    ("bus_uuid", bytes(16), "of another bus"), ("source_identity", "8/1", "of another source"),
    ("epoch", 2, "nobody claimed"), ("partition", 1, "another partition"), ("kind", 7, "of kind 7")])
def test_record_that_does_not_belong_is_named(log, field, value, words):
    broken(log.add(**{field: value}), words)


def test_heartbeat_inside_a_transaction(log):
    broken(log.add(part(5, change())).add(kind=HEARTBEAT, at=5), "heartbeat inside")


def test_part_that_is_missing(log):
    first = [change()]
    broken(log.add(part(5, *first)).add(part(5, change(), fragment=2, first_sequence=1, before=first, at=10)),
           "part 2 in place of 1")


def test_change_that_is_missing(log):
    first = [change()]
    broken(log.add(part(5, *first)).add(part(5, change(), fragment=1, first_sequence=2, before=first, at=10)),
           "begins at change 2, not 1")


def test_transaction_inside_another(log):
    broken(log.add(part(5, change())).add(part(6, change(), at=10)), "transaction 6 inside transaction 5")


def test_segment_inside_a_transaction(log):
    parts, _ = streamed(6, {1: [change()]}, 20, 1)
    broken(log.add(part(5, change())).add(*parts), "segment of transaction 6 inside another")


def test_last_part_without_a_position(log):
    made = part(5, change(), at=10)
    made.ClearField("position")
    broken(log.add(made), "no position")


def test_part_that_counts_before_the_last(log):
    made = part(5, change(), at=10)
    made.last = False
    made.ClearField("position")
    broken(log.add(made), "only a last one knows")


def test_table_that_is_counted_twice(log):
    made = part(5, change(), at=10)
    made.captured.add(table=1, events=1)
    broken(log.add(made), "counts a table twice")


def test_count_that_does_not_fit(log):
    broken(log.add(part(5, change(), before=[change(table=2)], at=10)), "capture counted {1: 1, 2: 1}")


def test_segment_that_is_missing(log):
    parts, last = streamed(5, {1: [change()], 2: [change()]}, 20, 1)
    broken(log.add(parts[0]).add(last), "not all of segments")


def test_segment_that_was_exchanged(log):
    parts, last = streamed(5, {1: [change()]}, 20, 1)
    parts[0].changes[0].operation = UPDATE
    broken(log.add(*parts).add(last), "another digest")


@pytest.mark.parametrize("wrong", ["operation", "kinds", "bytes", "row", "table"])
def test_change_that_contradicts_itself(log, wrong):
    made = change()
    if wrong == "operation":
        made.operation = 0
    elif wrong == "kinds":
        made.row.kinds = b"\0"
    elif wrong == "bytes":
        made.row.kinds = b"\1\1"
    elif wrong == "row":
        made.ClearField("row")
    else:
        made.table = 0
    with pytest.raises(Broken):
        log.add(part(5, made, at=10)).read()


def test_unknown_field_and_garbage(log):
    for packed in (log.records[0] + b"\xfa\x01\x01a", b"\xff"):
        with pytest.raises(Broken):
            Account().take(packed)


# ---- messages ----

@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_pieces_are_joined(log, pieces):
    log.add(part(5, change(), at=10)).add(part(6, change(), at=20))
    assert join(messages_of(log, pieces)) == log.records


@pytest.mark.parametrize("lost", range(1, 9))
def test_lost_piece_is_noticed(log, lost):
    log.add(part(5, change(), at=10)).add(part(6, change(), at=20))
    found = messages_of(log, 3)
    del found[lost]
    with pytest.raises(Broken):
        join(found)


def test_second_message_that_names_the_bus(log):
    found = messages_of(log)
    with pytest.raises(Broken, match="second message names"):
        join([*found, found[0]])


def test_topic_that_ends_inside_a_record(log):
    joiner = Joiner()
    for message in messages_of(log, 2)[:-1]:
        joiner.take(*message)
    with pytest.raises(Broken, match="ends inside"):
        joiner.at_end()


@pytest.mark.parametrize("field, value", [("epoch", 9), ("digest", 1), ("bytes", 1), ("size", 1), ("bus_uuid", b"x")])
def test_header_that_lies(log, field, value):
    log.add(part(5, change(), at=10))
    found = messages_of(log)
    header = messages()["PiecePb"].FromString(found[-1][0])
    setattr(header, field, value)
    joiner, account = Joiner(), Account()
    with pytest.raises(Broken):
        for message in [*found[:-1], (header.SerializeToString(), found[-1][1])]:
            whole = joiner.take(*message)
            if whole is not None:
                account.take(whole[1], whole[0])


def test_trimmed_topic_is_read_from_where_it_begins(log):
    log.add(part(5, change(), at=10)).add(part(6, change(), at=20)).add(part(7, change(), at=30))
    joiner, account = Joiner(), Account()
    for message in messages_of(log, 2)[5:]:
        whole = joiner.take(*message)
        if whole is not None:
            account.take(whole[1], whole[0])
    result = account.result()
    assert (result["first_sequence"], result["last_sequence"], result["transactions"]) == (3, 4, 2)


# ---- a real topic ----

@pytest.fixture(scope="module")
def broker():
    kafka = Kafka()
    yield kafka
    kafka.close()


def produce(broker, topic, found, commit=True):
    producer = Producer({"bootstrap.servers": broker.bootstrap(), "transactional.id": topic}, logger=SILENT)
    producer.init_transactions(30)
    producer.begin_transaction()
    for header, value in found:
        producer.produce(topic, value or None, headers=[("drover", header)])
    producer.flush(30)
    producer.commit_transaction(30) if commit else producer.abort_transaction(30)


def test_topic_is_read_on_and_on_without_what_was_aborted(broker, log):
    broker.create_topic("read_on")
    log.add(part(5, change(), at=10)).add(part(6, change(), at=20))
    found = messages_of(log, 3)
    produce(broker, "read_on", found[:7])
    reader = TopicReader(broker.bootstrap(), "read_on", logger=SILENT)
    assert reader.read_to_end()["transactions"] == 1
    assert reader.read_to_end()["transactions"] == 1
    produce(broker, "read_on", found[3:9], commit=False)
    assert reader.read_to_end()["transactions"] == 1
    produce(broker, "read_on", found[7:])
    assert reader.read_to_end()["transactions"] == 2
    reader.close()


def run(broker, topic):
    program = os.path.join(os.path.dirname(__file__), "bus_reader.py")
    return subprocess.run([sys.executable, program, broker.bootstrap(), topic, "client.id=reader"],
                          capture_output=True, text=True, timeout=60)


def test_program_prints_json_and_fails_on_a_broken_bus(broker, log):
    broker.create_topic("program")
    log.add(part(5, change(), at=10))
    found = messages_of(log)
    produce(broker, "program", found)
    done = run(broker, "program")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tables"]["1"]["events"] == 1
    produce(broker, "program", found[-1:])
    done = run(broker, "program")
    assert done.returncode == 1 and "record 2 comes after 2" in done.stderr
