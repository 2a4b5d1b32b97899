"""What the benches measure contenders by: wall seconds, CPU seconds process by process, peak memory."""
import os
import re
import resource
import statistics
import time

TICK = os.sysconf("SC_CLK_TCK")


def own_cpu(pid):
    """Seconds: user, system, and the same of children that ended."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return [int(x) / TICK for x in fields[11:15]]


def cpu_seconds(server):
    """CPU seconds of a server or a program so far: itself, its children that ended, its children alive."""
    total = sum(own_cpu(pid_of(server)))
    for child in server.children() if hasattr(server, "children") else []:
        try:
            total += sum(own_cpu(child)[:2])
        except FileNotFoundError:
            pass
    return total


def pid_of(server):
    return getattr(server, "process", server).pid


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


class Measure:
    """One contender's run. `servers` (name to server) are up before and after it."""

    def __init__(self, servers):
        self.servers = servers
        self.children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.before = {name: cpu_seconds(server) for name, server in servers.items()}
        self.first = None
        self.peak = 0.0
        self.start = time.monotonic()

    def begins(self):
        """Its first work has been seen: what came before was its start."""
        if self.first is None:
            self.first = time.monotonic() - self.start

    def end(self, process=None):
        """The contender's own part is `process`, which is alive, or all children that ended since the start."""
        self.seconds = time.monotonic() - self.start
        if process is not None:
            self.peak = peak_mib(process.pid)
            self.client = sum(own_cpu(process.pid)[:2])
        else:
            now = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.client = now.ru_utime + now.ru_stime - self.children.ru_utime - self.children.ru_stime
        self.cpu = {name: cpu_seconds(server) - self.before[name] for name, server in self.servers.items()}
        return self

    @property
    def active(self):
        return self.seconds - (self.first or 0.0)

    @property
    def total_cpu(self):
        return self.client + sum(self.cpu.values())


def median(measures, value):
    return statistics.median(value(m) for m in measures)


def table(results, changes=None):
    """A line for each contender: medians of its runs."""
    for way, measures in results.items():
        seconds = median(measures, lambda m: m.seconds)
        line = f"   {way:38} {seconds:7.2f} s   CPU s: client {median(measures, lambda m: m.client):6.2f}"
        for name in measures[0].cpu:
            line += f" {name} {median(measures, lambda m, name=name: m.cpu[name]):5.2f}"
        if changes:
            line += (f"   {changes / seconds:9.0f} changes/s   "
                     f"{median(measures, lambda m: m.total_cpu) / changes * 1e6:6.2f} CPU s per million")
        if measures[0].first is not None:
            line += f"   active {median(measures, lambda m: m.active):.2f} s"
        peak = max(m.peak for m in measures)
        print(line + (f"   peak {peak:.0f} MiB" if peak else ""), flush=True)


def ratio(results, above, below, value=lambda m: m.seconds, of="seconds"):
    pairs = [value(a) / value(b) for a, b in zip(results[above], results[below])]
    return f"{statistics.median(pairs):.2f} ({of}; pair by pair {', '.join(f'{p:.2f}' for p in pairs)})"
