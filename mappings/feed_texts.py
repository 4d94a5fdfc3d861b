"""What readers of feeds see in them. French is the source text; `Translate` turns it into another one."""

from __future__ import annotations

from mappings.texts import source_text

_ = source_text

RDV = _("Rendez-vous")
BUSY = _("Occupé")
ABSENCE = _("Indisponibilité")
PLAGE = _("Plage d’ouverture")
CANCELLED_PREFIX = _("[Annulé] ")

KINDS = {
    "public_office": _("En personne"),
    "home": _("En personne"),
    "phone": _("Par téléphone"),
    "visio": _("En visio"),
}
"""By `location_type` of the API. Others may come: they are shown as nothing."""
AT_HOME = _("À domicile")

CALL = _("Pour toute question : {phone_number}")
JOIN = _("Rejoindre la visio : {url}")
SMS_PREVAILS = _("En cas de doute, le SMS ou l’appel reçu en dernier est le bon.")
