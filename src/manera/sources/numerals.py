"""Numbers as headings have them: digits, Roman numerals, and words in Russian and English."""

NUMERAL = (
    r"(?:\d+|[ivxlc]+\b|перв|втор|трет|четв|пят|шест|седьм|восьм|девят|десят|\w+надцат|двадц|тридц|сорок|последн"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twent|thirt|fort|fift|the\s+\w+"
    r"|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|last)"
)
"""Begins a number, whatever its case and ending; to be used with IGNORECASE."""
