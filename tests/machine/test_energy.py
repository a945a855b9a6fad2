"""The processor's energy counters, as Linux lays them out."""

from pathlib import Path

from manera.machine.energy import EnergyMeter


def zone(powercap: Path, name: str, microjoules: int) -> Path:
    folder = powercap / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "max_energy_range_uj").write_text("9999999\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    for name, used in (("intel-rapl:0", 100), ("intel-rapl:1", 0), ("intel-rapl:0:0", 50)):
        zone(tmp_path, name, used)
    meter = EnergyMeter(tmp_path)
    assert meter.joules() == 0
    for name, used in (("intel-rapl:0", 2_000_100), ("intel-rapl:1", 500_000), ("intel-rapl:0:0", 900_050)):
        zone(tmp_path, name, used)
    assert meter.joules() == 2.5


def test_a_counter_that_wrapped_goes_on_counting(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", 9_000_000)
    meter = EnergyMeter(tmp_path)
    zone(tmp_path, "intel-rapl:0", 1_000_000)
    assert meter.joules() == 2
    zone(tmp_path, "intel-rapl:0", 1_500_000)
    assert meter.joules() == 2.5


def test_where_nothing_can_be_read_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").mkdir()
    assert EnergyMeter(tmp_path).joules() is None
    assert EnergyMeter(tmp_path / "nowhere").joules() is None
