"""Pages that stand alone: no script, nothing loaded from anywhere."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from manera.files import replacing


def write_page(path: Path, template: Path, **given: object) -> None:
    """Fill a Jinja template and write it, whole or not at all; only its owner can read it.

    ``style`` in a template is the style that pages share.
    """
    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = Markup(Path(__file__).with_name("page.css").read_text("utf-8"))
    page = environment.get_template(template.name).render(style=style, **given)
    with replacing(path) as unfinished:
        unfinished.write_text(page, "utf-8")
