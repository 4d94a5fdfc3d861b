"""What usagers and agents read about feeds. French is the source text; `gateway.languages` gives another one."""

from __future__ import annotations

from mappings.feed_levels import Purpose
from mappings.texts import source_text

_ = source_text

NAMES = {
    Purpose.USAGER: _("Mes rendez-vous"),
    Purpose.AGENT: _("Mes rendez-vous"),
    Purpose.LIEU: _("Occupation"),
    Purpose.ORGANISATION: _("Occupation"),
}
"""Neutral: a name is shown on screens that others see."""

SMS = _("Vos rendez-vous dans votre agenda : {page} Ce lien est personnel, gardez-le pour vous.")
LETTER = _(
    "Madame, Monsieur,\n\n"
    "Vous pouvez retrouver vos rendez-vous dans l’agenda de votre téléphone ou de votre ordinateur. "
    "Ouvrez cette page et suivez les étapes :\n\n{page}\n\n"
    "Ce lien est personnel : toute personne qui l’a voit les dates de vos rendez-vous. "
    "Il est valable jusqu’au {until}, et plus longtemps si vous avez d’autres rendez-vous. "
    "Votre agenda se met à jour avec du retard : en cas de doute, le SMS ou l’appel reçu en dernier est le bon."
)
LETTER_CALL = _("Pour toute question, ou pour arrêter ce lien : {phone}")
