"""Street addresses, Russian and English: a street with the number of a house."""

_STREET = r"""(?:
    ул(?:иц[аыеу]|\.)? | просп(?:ект(?:а|е|у)?|\.) | пр-(?:кт|т)(?:а|е|у)?\.? | пер(?:еул(?:ок|ка|ке|ку)|\.)
    | набережн(?:ая|ой|ую) | наб\. | бульвар(?:а|е|у)? | б-р | шоссе | проезд(?:а|е|у)? | площад[ьи] | пл\. )"""
_NAME = r"(?: \d{1,2}-[а-я]{1,3}\s )? [А-ЯЁ][а-яё]+(?:-[А-ЯЁ][а-яё]+)? (?: \s[А-ЯЁ][а-яё]+ )?"
_HOUSE = r"(?: \s? (?:д(?:ом(?:а|е|у)?)?\b\.? )? \s? \d{1,4} (?:/\d{1,3})? [а-яА-Я]?\b )"
_ROOM = r"""(?:
    ,? \s?
    (?: к(?:ор(?:п(?:ус)?)?)?\.? | стр(?:оение)?\.? | кв(?:артира|\.)? | оф(?:ис|\.)? | подъезд ) \s? \d{1,4}\b )"""
_CITY = r"(?: (?:г\.|город)\s?[А-ЯЁ][а-яё-]+,?\s )?"
_WAY = r"""(?:
    Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Boulevard|Blvd|Terrace|Crescent|Way|Square|Sq )"""
_UNIT = r"(?: ,?\s (?: [Aa]pt|[Ff]lat|[Ss]uite|[Uu]nit|\# ) \.?\s?\w{1,5}\b )"
_POSTCODE = r"(?: ,?\s [A-Z][a-z]+ (?:,?\s[A-Z]{2})? \s (?: \d{5} | [A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2} ) \b )"

ADDRESS = rf"""(?x) (?<!\w) (?:
      {_CITY} {_STREET} \s? {_NAME} ,? {_HOUSE} {_ROOM}*
    | {_CITY} {_NAME} \s {_STREET} ,? {_HOUSE} {_ROOM}*
    | {_CITY} {_NAME} ,? {_HOUSE} (?: ,?\s? к(?:ор)?п?\.?\s?\d+ )? ,?\s? (?:кв|оф)(?:артира|ис|\.)?\s?\d{{1,4}}\b
    | \d{{1,5}} \s (?:[NSEW]\.?\s)? (?:[A-Z][\w.'’]+\s){{1,3}} {_WAY} \b \.? {_UNIT}? {_POSTCODE}?
    )"""
