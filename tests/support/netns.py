"""Network namespaces as machines: each has an address of its own on one bridge, and no other way out.

The bridge is in a namespace too (the hub), with the servers; nothing of the host's own network changes.
Needs root, and ip of iproute2.
"""
import contextlib
import ctypes
import os
import subprocess
import uuid

SUBNET = "10.213.7"
CLONE_NEWNET = 0x40000000


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class Machine:
    """A namespace; `prefix` before a command runs it there."""

    def __init__(self, name, address):
        self.name = name
        self.address = address
        self.prefix = ("ip", "netns", "exec", name)
        ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments):
        ip("-n", self.name, *arguments)

    def unplug(self):
        self.ip("link", "set", "eth0", "down")

    def plug_in(self):
        self.ip("link", "set", "eth0", "up")


class Network:
    def __init__(self, *names):
        self.tag = uuid.uuid4().hex[:8]
        self.machines = {}
        self.hub = self._machine("hub", 1)
        try:
            self.hub.ip("link", "add", "bridge", "type", "bridge")
            self.hub.ip("address", "add", f"{SUBNET}.1/24", "dev", "bridge")
            self.hub.ip("link", "set", "bridge", "up")
            for number, name in enumerate(names, 2):
                self._connect(self._machine(name, number), number)
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name):
        return self.machines[name]

    def _machine(self, name, number):
        self.machines[name] = Machine(f"drover-{self.tag}-{name}", f"{SUBNET}.{number}")
        return self.machines[name]

    def _connect(self, machine, number):
        self.hub.ip("link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", machine.name)
        self.hub.ip("link", "set", f"port{number}", "master", "bridge", "up")
        machine.ip("address", "add", f"{machine.address}/24", "dev", "eth0")
        machine.ip("link", "set", "eth0", "up")

    @contextlib.contextmanager
    def at_the_hub(self):
        """This thread, and all that it starts meanwhile, are in the hub's namespace."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{self.hub.name}") as there:
            enter_namespace(there)
            try:
                yield self
            finally:
                enter_namespace(here)

    def close(self):
        for machine in self.machines.values():
            ip("netns", "delete", machine.name)
        self.machines = {}


def enter_namespace(file):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")
