"""What a command costs: CPU seconds, wall time and peak memory of its whole process tree.

Some peers start their workers from a fork server, which the usual `time` does not see once its parent is gone. Here
the measuring process becomes the reaper of all orphans below it, so that the kernel adds up every process's CPU time.
Memory is the sum of the proportional set sizes (pages shared by n processes count 1/n each), polled: a peak between
two polls is missed.
"""
import ctypes
import json
import os
import resource
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
# Two polls are a fiftieth of the run so far apart, within these: short runs are seen well, long ones not disturbed.
POLL_SECONDS = (0.02, 0.25)
LINGER_SECONDS = 5.0


def children():
    """parent -> children, of all processes."""
    tree = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            tree.setdefault(parent, []).append(int(name))
    return tree


def descendants(root):
    """All processes below `root`."""
    tree, found = children(), []
    open_ends = [root]
    while open_ends:
        below = tree.get(open_ends.pop(), [])
        found += below
        open_ends += below
    return found


def pss_bytes(pid):
    """Proportional set size of one process; 0 when it has just ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            return sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024
    except OSError:
        return 0


def reap_orphans():
    """Collects ended processes without waiting; True when no child is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False


def end_orphans():
    """Waits for what the command left behind, then ends it; only processes below this one."""
    deadline = time.monotonic() + LINGER_SECONDS
    while not reap_orphans():
        if time.monotonic() > deadline:
            for pid in descendants(os.getpid()):
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
        time.sleep(0.05)


def measure(command, log, environment=None):
    """Runs `command` and returns its cost and exit status as a dictionary."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before, start, peak, load = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0, os.getloadavg()[0]
    with open(log, "wb") as stream:
        main = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, **(environment or {})})
        while main.poll() is None:
            peak = max(peak, sum(pss_bytes(pid) for pid in descendants(os.getpid())))
            time.sleep(min(max(POLL_SECONDS[0], (time.monotonic() - start) / 50), POLL_SECONDS[1]))
    wall = time.monotonic() - start
    end_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"status": main.returncode, "wall_s": wall, "user_s": after.ru_utime - before.ru_utime,
            "sys_s": after.ru_stime - before.ru_stime, "peak_bytes": peak, "load": load}


if __name__ == "__main__":
    # measure.py LOG COMMAND...: one fresh process per measurement, so that no child of an earlier one is counted.
    json.dump(measure(sys.argv[2:], sys.argv[1]), sys.stdout)
