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

# --- the page ------------------------------------------------------------------------------------------------

TITLE = _("Agenda")
NEXT = _("Vos prochains rendez-vous")
NONE = _("Aucun rendez-vous à venir.")
TIMES = _("de {start} à {end}")
ADD = _("Ajouter ce rendez-vous à mon agenda")
ADD_ABOUT = _("Ajouter le rendez-vous du {day} à mon agenda")
COPY = _("Cette copie ne suit pas les changements : le SMS reçu en dernier est le bon. À jour le {moment}.")
FOLLOW = _("Suivre tous vos rendez-vous")
FOLLOW_WHY = _("L’agenda ajoute, déplace et enlève les rendez-vous de lui-même, avec du retard.")
ADDRESS = _("Adresse à copier :")
APPLE = _("iPhone, iPad, Mac")
APPLE_STEPS = (_("Ouvrez ce lien : {link}"), _("Touchez « S’abonner », puis « Terminé »."))
APPLE_LINK = _("s’abonner")
GOOGLE = _("Google Agenda, Android")
GOOGLE_STEPS = (
    _("Sur un ordinateur, ouvrez calendar.google.com."),
    _("À gauche, à côté de « Autres agendas », choisissez + puis « À partir de l’URL »."),
    _("Collez l’adresse, puis choisissez « Ajouter un agenda ». Il apparaît ensuite sur le téléphone."),
)
OUTLOOK = _("Outlook")
OUTLOOK_STEPS = (
    _("Dans le calendrier, choisissez « Ajouter un calendrier », puis « S’abonner à partir du web »."),
    _("Collez l’adresse, puis choisissez « Importer »."),
)
REMOVE = _("Arrêter")
REMOVE_HOW = _(
    "Dans votre agenda, supprimez le calendrier « {name} ». Vos rendez-vous ne sont pas annulés pour autant."
)
CALL = _("Une question, un lien perdu ou vu par quelqu’un d’autre : appelez le {phone}.")
CLOSED = _("Ce lien n’est plus valable")
CLOSED_CALL = _("Pour connaître vos rendez-vous ou recevoir un nouveau lien, appelez le {phone}.")
CLOSED_ASK = _("Pour connaître vos rendez-vous ou recevoir un nouveau lien, adressez-vous à votre accueil.")
OTHER_LANGUAGE = _("English")
SKIP = _("Aller au contenu")
