"""What the tests of the Kafka bus share: its lines in a migration file, and a reader beside drover."""
import re
import shlex
import subprocess
import threading

from bus_reader import TopicReader
from kafka import LAUNCHER, SILENT
from servers import wait_for

TOPIC = "drover.move.changes"


def bus_on(kafka, topic=TOPIC, replication=1, bootstrap=None, properties=None, properties_file=None):
    """The `bus:` of a migration file."""
    keys = [f'bootstrap_servers: "{bootstrap or kafka.bootstrap()}"', f"topic: {topic}",
            f"replication_factor: {replication}"]
    if properties:
        keys.append("properties: {" + ", ".join(f'{key}: "{value}"' for key, value in properties.items()) + "}")
    if properties_file:
        keys.append(f"properties_file: {properties_file}")
    return "bus:\n  kafka: {" + ", ".join(keys) + "}"


class Follower:
    """Reads the topic beside drover from its first record on, since drover deletes what was applied."""

    def __init__(self, kafka, topic=TOPIC):
        wait_for(lambda: topic in kafka.topics(), f"topic {topic}", 60)
        self.reader = TopicReader(kafka.bootstrap(), topic, logger=SILENT)
        self.ending = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.ending.is_set():
                self.reader.read_to_end()
        except Exception as failure:  # kept and raised by finish()
            self.failure = failure

    def finish(self):
        """Ends at the topic's end as it is now; the counts of all that was ever on it."""
        self.ending.set()
        self.thread.join(120)
        assert not self.thread.is_alive()
        try:
            if self.failure:
                raise self.failure
            return self.reader.read_to_end()
        finally:
            self.reader.close()


def commands_in(text, program):
    """Command lines of one of Kafka's programs that drover printed."""
    return [shlex.split(found) for found in re.findall(rf"{re.escape(program)} [^\n]*", text)]


def run_command(command, kafka):
    """Runs what drover printed, as somebody whom the brokers allow everything."""
    where = command.index("--bootstrap-server") + 1
    done = subprocess.run([LAUNCHER, *command[:where], kafka.bootstrap(), *command[where + 1:]],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
