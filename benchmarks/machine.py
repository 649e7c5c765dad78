# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What machine this is, and whether others use it."""

import os
import platform
import subprocess
import time
from pathlib import Path

NOISY = 0.05  # of the machine's time taken by others


def get_cores():
    return len(os.sched_getaffinity(0))


def get_cpu_name():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def get_ks_version(root):
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


class Others:
    """The share of the machine's time that others take, in other processes or machines."""

    def __init__(self):
        self.start = self.read()

    @staticmethod
    def read():
        try:
            words = Path("/proc/stat").read_text().split(maxsplit=9)
        except OSError:
            return None
        user, nice, system, idle, wait, irq, soft, steal = map(int, words[1:9])
        busy = user + nice + system + irq + soft + steal
        ticks = os.sysconf("SC_CLK_TCK")
        return busy / ticks - sum(os.times()[:4]), (busy + idle + wait) / ticks

    def share(self):
        end = self.read()
        if not end or not self.start or end[1] <= self.start[1]:
            return 0.0
        return max(0.0, (end[0] - self.start[0]) / (end[1] - self.start[1]))


def warn_of_load(say):
    cores = get_cores()
    time.sleep(0.1)
    others = Others()
    time.sleep(1)
    share, load = others.share(), os.getloadavg()[0]
    say(f"load average {load:.2f} on {cores} cores; others take {100 * share:.0f} %")
    if share > NOISY or load > cores:
        say("WARNING: the machine is not idle: do not publish what is measured now")
