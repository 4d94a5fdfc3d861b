"""What the notice to an agent says. French is the source text, marked for extraction as in `mappings.texts`."""

from __future__ import annotations

from mappings.texts import source_text as _

SUBJECT = _("Votre agenda et RDV-Solidarités")
GREETING = _("Bonjour {name},")
GREETING_NOBODY = _("Bonjour,")
INTRODUCTION = _(
    "{departement} va relier votre agenda professionnel et RDV-Solidarités. Vous n'avez rien à installer ni à saisir."
)
SOMEBODY = _("Votre département")

READ = _("CE QUI EST LU")
READ_CALENDAR = _(
    "- Dans votre agenda ({calendars}) : vos évènements. Seules leurs dates et leurs heures sont retenues, pour les"
    " {days} prochains jours. Leur titre, leur lieu, leurs notes et leurs participants ne sont ni transmis à"
    " RDV-Solidarités, ni conservés."
)
READ_RDVS = _("- Dans RDV-Solidarités : vos RDV et vos indisponibilités.")
YOUR_CALENDAR = _("votre calendrier")

SEEN = _("CE QUE VOIENT VOS COLLÈGUES")
SEEN_BLOCKS = _(
    "- Dans RDV-Solidarités : des indisponibilités intitulées « {tag} » aux heures où votre agenda est occupé, sans"
    " autre détail. Aucun RDV ne vous y est proposé."
)
SEEN_BLOCKS_LABELLED = _(
    "- Dans RDV-Solidarités : des indisponibilités intitulées « {tag} » aux heures où votre agenda est occupé, avec de"
    " plus, pour certaines catégories d'évènements, l'une de ces mentions : {labels}. Aucun RDV ne vous y est proposé."
)
SEEN_NO_BLOCKS = _("- Dans RDV-Solidarités : rien de votre agenda.")
SEEN_NO_RDVS = _("- Dans votre agenda : vos RDV n'y sont pas écrits.")
SEEN_NEUTRAL = _("- Dans votre agenda : vos RDV, sous le titre « {title} », sans nom d'usager ni motif.")
SEEN_MOTIF = _("- Dans votre agenda : vos RDV, avec leur motif.")
SEEN_MOTIF_SOME = _("- Dans votre agenda : vos RDV, avec leur motif ou, selon le motif, sous le titre « {title} ».")
OR_TITLE = _(" » ou « ")
SEEN_FIELDS = _("  Y figurent aussi : {fields}.")
SEEN_FIELDS_SOME = _("  Selon le motif, peuvent y figurer : {fields}.")
SEEN_ABSENCES = _(
    "- Dans votre agenda : les indisponibilités que vous saisissez dans RDV-Solidarités, avec leur titre."
)
CLASSES = {
    "PUBLIC": _("  Les personnes avec qui vous partagez votre agenda voient ces RDV comme vos autres évènements."),
    "PRIVATE": _(
        "  Ces évènements sont marqués « privé » : selon les réglages de votre agenda, les personnes avec qui vous le"
        " partagez voient seulement que vous êtes occupé·e."
    ),
    "CONFIDENTIAL": _(
        "  Ces RDV sont marqués « confidentiel » : selon les réglages de votre agenda, les personnes avec qui vous le"
        " partagez voient seulement que vous êtes occupé·e."
    ),
}
CLASS_DIFFERS = _(
    "  Selon le motif, ces RDV sont marqués « privé » ou non : les personnes avec qui vous partagez votre agenda voient"
    " ceux qui ne le sont pas comme vos autres évènements."
)
FIELDS = {
    "first_name": _("le prénom des usagers"),
    "last_name": _("le nom des usagers"),
    "phone_number": _("le téléphone des usagers"),
    "email": _("le courriel des usagers"),
    "address": _("l'adresse des usagers, dont celle d'une visite à domicile"),
    "birth_date": _("la date de naissance des usagers"),
    "show_context": _("le contexte saisi dans le RDV"),
    "show_place": _("le lieu"),
    "show_phone": _("le téléphone de l'accueil"),
}
AND = _(" et ")

UNTOUCHED = _("CE QUI NE CHANGE PAS")
UNTOUCHED_EVENTS = _("- Vos propres évènements ne sont jamais modifiés, déplacés ni supprimés.")
UNTOUCHED_QUIET = _("- Aucun courriel, aucune invitation, aucun rappel n'est envoyé à vous ni à personne d'autre.")
UNTOUCHED_QUIET_BUT = _(
    "- Aucun courriel, aucune invitation n'est envoyé à vous ni à personne d'autre. Un nouveau RDV peut porter un"
    " rappel dans votre agenda ({minutes} minutes avant) : vous pouvez le changer ou le supprimer."
)
UNTOUCHED_TITLES = _("- Un RDV se modifie dans RDV-Solidarités : déplacé dans l'agenda, il y est remis à sa place.")

FREE = _("POUR LIBÉRER UN CRÉNEAU")
FREE_HOW = _(
    "Supprimez l'indisponibilité dans RDV-Solidarités : elle n'y revient que si l'évènement de votre agenda change."
    " Marquer l'évènement « disponible » dans votre agenda la retire aussi."
)

STOP = _("POUR ARRÊTER OU POSER UNE QUESTION")
STOP_HOW = _(
    "Écrivez à {contact}. La liaison peut être suspendue à tout moment, ou arrêtée : ce qui a été écrit est alors"
    " laissé ou retiré, comme vous le souhaitez, et un relevé vous en est donné."
)
STOP_SOMEBODY = _("votre service informatique")
PRIVACY = _("Pour vos droits sur vos données : {contact}.")

RECIPIENT = _("À : {email}")
RECIPIENT_UNKNOWN = _("À : (pas d'adresse dans RDV-Solidarités)")
SUBJECT_LINE = _("Objet : {subject}")
