"""``manera presets``: by whose ways, and in which words, a voice can be trained."""

from manera.cli import console
from manera.dataset.formats.format import OWN, format_names, read_format
from manera.training.presets import PRESETS


def show_presets(as_json: bool) -> None:
    """List presets and formats."""
    formats = {name: read_format(name) for name in format_names() if name != OWN}
    if as_json:
        presets = [
            {
                "name": preset.name,
                "about": preset.about,
                "base": preset.base,
                "architectures": preset.architectures,
                "settings": dict(preset.settings),
            }
            for preset in PRESETS
        ]
        listed = [{"name": name, "about": one.about, "kinds": one.kinds} for name, one in formats.items()]
        console.result({"presets": presets, "formats": listed})
        return
    console.show("presets (manera train --preset NAME)")
    for preset in PRESETS:
        console.show(f"  {preset.name}: {preset.about}")
        settings = ", ".join(f"{name} {_shown(value)}" for name, value in preset.settings.items())
        console.show(f"      {settings}; on {preset.base or 'any base'}")
    console.show("formats (manera train --format NAME)")
    console.show(f"  {OWN}: what the base was taught, where it was taught turns")
    for name, one in formats.items():
        console.show(f"  {name}: {one.about} ({', '.join(one.kinds)})")


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
