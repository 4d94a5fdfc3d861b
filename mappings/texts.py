"""What people read in calendars, in one place. French is the source text; `Translate` turns it into another one.

Marked with `_` for extraction; translated where it is used, since these constants exist before any language is
chosen (the deferred translations of the gettext manual).
"""

from __future__ import annotations

from collections.abc import Callable

Translate = Callable[[str], str]


def source_text(message: str) -> str:
    """The `Translate` that leaves French as it is."""
    return message


_ = source_text

RDV = _("RDV")
CANCELLED_PREFIX = _("[Annulé] ")
ABSENCE = _("Indisponibilité")

LOCATION_TYPES = {
    "public_office": _("Sur place"),
    "phone": _("Par téléphone"),
    "home": _("À domicile"),
    "visio": _("En visio"),
}
"""By `location_type` of the API. Others may come: they are shown as nothing."""

OPEN_RDV = _("Voir le RDV : {url}")
JOIN_VISIO = _("Rejoindre la visio : {url}")
RECEPTION = _("Accueil : {phone_number}")
USAGERS = _("Usagers : {names}")
PARTICIPANTS = _("Inscrits : {count}")
PARTICIPANTS_OF = _("Inscrits : {count} sur {most}")
PHONE_NUMBER = _("Téléphone : {value}")
EMAIL = _("Courriel : {value}")
ADDRESS = _("Adresse : {value}")
BIRTH_DATE = _("Date de naissance : {value}")
DAY = _("%d/%m/%Y")
REMINDER = _("RDV")
"""All that an alarm says: it may ring on a screen that others see, and nobody changes it when rules do."""
MANAGED_ELSEWHERE = _("Cet évènement suit RDV-Solidarités : date, durée et lieu se modifient là-bas.")
