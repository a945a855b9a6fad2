"""The names of ``manera.text.personal_data`` that evaluation uses."""

from manera.text.personal_data import counted as counted
from manera.text.personal_data import found_in as found_in
from manera.text.personal_data import iban as iban
from manera.text.personal_data import inn as inn
from manera.text.personal_data import items as items
from manera.text.personal_data import luhn as luhn
from manera.text.personal_data import repeated as repeated
from manera.text.personal_data import snils as snils
