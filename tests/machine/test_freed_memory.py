"""What is freed is kept for the next step."""

import subprocess
import sys

import pytest

TRIES = """
import resource
from manera.machine.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keep_freed_memory()
counted = [faults()]
for _ in range(10):
    held = bytearray(64_000_000)
    del held
    counted.append(faults())
print(counted[1] - counted[0], counted[-1] - counted[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_large_pieces_are_zeroed_by_the_kernel_once() -> None:
    told = subprocess.run([sys.executable, "-c", TRIES], check=True, capture_output=True, text=True).stdout
    first, later = map(int, told.split())
    assert first > 1000
    assert later < first
