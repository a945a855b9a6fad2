"""How much energy the processor used, where Linux tells: RAPL's counters, which often only root may read.

https://docs.kernel.org/power/powercap/powercap.html
"""

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
PACKAGES = "intel-rapl:[0-9]*"
MICROJOULES = 1_000_000


class EnergyMeter:
    """Adds up what all packages use from its making on; to be read at least once an hour, as the counters wrap."""

    def __init__(self, powercap: Path = POWERCAP) -> None:
        zones = [zone for zone in sorted(powercap.glob(PACKAGES)) if zone.name.count(":") == 1]
        self._last = {zone: used for zone in zones if (used := _read(zone / "energy_uj")) is not None}
        self._microjoules = 0

    def joules(self) -> float | None:
        """Return what was used so far; None where no counter can be read."""
        for zone, before in self._last.items():
            used = _read(zone / "energy_uj")
            if used is None:
                continue
            wraps_at = (_read(zone / "max_energy_range_uj") or 0) + 1
            self._microjoules += used - before if used >= before else used - before + wraps_at
            self._last[zone] = used
        return self._microjoules / MICROJOULES if self._last else None


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
