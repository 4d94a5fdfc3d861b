"""What alerts say. French is the source text, marked for extraction as in `mappings.texts`.

Counts stand after a colon, so that no sentence has to agree with them. What an agent reads never says why, where or
with whom: only when.
"""

from __future__ import annotations

from gateway.alerts.values import Audience, Kind, Word
from mappings.texts import source_text as _

# --- what happened, and what to do -----------------------------------------------------------------------------

HEADLINES: dict[tuple[Audience, Kind], str] = {
    (Audience.AGENT, Kind.RECONNECT): _("Votre agenda n'est plus accessible"),
    (Audience.AGENT, Kind.RDV_OVER_BUSY): _("Un RDV tombe sur un moment où vous êtes occupé·e"),
    (Audience.AGENT, Kind.FREED_BY_HAND): _("Un créneau a été libéré à la main"),
    (Audience.AGENT, Kind.CONFLICT): _("Un point de votre agenda demande votre attention"),
    (Audience.AGENT, Kind.DECIDED): _("Une indisponibilité a été modifiée des deux côtés"),
    (Audience.REFERENTE, Kind.RDV_OVER_BUSY): _("Des RDV tombent sur des moments où un agent est occupé"),
    (Audience.REFERENTE, Kind.CONFLICT): _("Des agendas demandent votre attention"),
    (Audience.REFERENTE, Kind.DECIDED): _("Des indisponibilités ont été modifiées des deux côtés"),
    (Audience.IT, Kind.NEEDS_IT): _("Un accès est à rétablir : {subject}"),
    (Audience.IT, Kind.SYSTEM_AWAY): _("Un système ne répond pas : {subject}"),
    (Audience.IT, Kind.MANY_REFUSED): _("De nombreux accès personnels sont refusés : {subject}"),
    (Audience.IT, Kind.SERVICE_SILENT): _("Des agendas ne sont plus synchronisés"),
    (Audience.IT, Kind.ACCESS_LAPSING): _("L'accès à RDV-Solidarités est à renouveler"),
    (Audience.IT, Kind.HOLDS): _("Des opérations attendent une décision : {subject}"),
    (Audience.IT, Kind.WRITES_STOPPED): _("Toutes les écritures sont arrêtées"),
    (Audience.IT, Kind.DATABASE): _("La base de données demande votre attention"),
    (Audience.IT, Kind.DEFECT): _("Une anomalie de la passerelle est à signaler : {subject}"),
    (Audience.IT, Kind.NO_ADDRESS): _("Des agents n'ont pas d'adresse connue"),
    (Audience.IT, Kind.UNDELIVERED): _("Des messages n'ont pas pu être remis"),
}
"""One for each audience that a kind may have; `{subject}`: a system's name in the configuration, or a reason."""

ADVICE: dict[tuple[Audience, Kind], str] = {
    (Audience.AGENT, Kind.RECONNECT): _(
        "Votre accès à l'agenda est refusé : le mot de passe a peut-être changé, ou une autorisation a été retirée. Vos"
        " RDV n'y sont plus mis à jour, et vos nouveaux engagements ne bloquent plus de créneaux dans RDV-Solidarités."
        " Pour rétablir la liaison, adressez-vous à {contact}."
    ),
    (Audience.AGENT, Kind.RDV_OVER_BUSY): _(
        "Ouvrez RDV-Solidarités ({url}) pour déplacer le RDV ou le confier à un·e collègue ; ou, si vous êtes"
        " disponible, supprimez ou déplacez l'évènement de votre agenda. Rien n'a été modifié."
    ),
    (Audience.AGENT, Kind.FREED_BY_HAND): _(
        "Une indisponibilité venue de votre agenda a été retirée ou raccourcie dans RDV-Solidarités : des RDV peuvent"
        " de nouveau y être pris. Si c'est voulu, vous n'avez rien à faire. Sinon, modifiez l'évènement dans votre"
        " agenda (son horaire, par exemple) : le créneau sera bloqué de nouveau. Votre agenda n'a pas été modifié."
    ),
    (Audience.AGENT, Kind.CONFLICT): _(
        "La passerelle n'a pas décidé à votre place. Le détail se trouve dans RDV-Solidarités ({url}) et dans votre"
        " agenda ; en cas de doute, adressez-vous à {contact}."
    ),
    (Audience.AGENT, Kind.DECIDED): _(
        "La même indisponibilité a été modifiée dans votre agenda et dans RDV-Solidarités. Une seule version a pu être"
        " gardée : vérifiez qu'elle vous convient. L'autre peut être rétablie : adressez-vous à {contact}."
    ),
    (Audience.REFERENTE, Kind.RDV_OVER_BUSY): _(
        "Voyez avec ces agents s'il faut déplacer ou réattribuer les RDV dans RDV-Solidarités ({url})."
    ),
    (Audience.REFERENTE, Kind.CONFLICT): _("Voyez avec ces agents ; le service informatique en a le détail."),
    (Audience.REFERENTE, Kind.DECIDED): _(
        "Une seule version a pu être gardée. Les agents peuvent demander que l'autre soit rétablie."
    ),
    (Audience.IT, Kind.NEEDS_IT): _(
        "Corrigez ce que dit le détail (certificat, droits, compte, adresse), puis vérifiez avec « rdv-gateway check »."
    ),
    (Audience.IT, Kind.SYSTEM_AWAY): _(
        "Vérifiez que le serveur répond. Si l'arrêt est prévu, déclarez-le : « rdv-gateway outage declare »."
        " La synchronisation reprendra d'elle-même."
    ),
    (Audience.IT, Kind.MANY_REFUSED): _(
        "Les agents ne peuvent sans doute pas y remédier : vérifiez l'annuaire et le serveur. Ils ne sont pas prévenus"
        " tant que cela dure."
    ),
    (Audience.IT, Kind.SERVICE_SILENT): _("Voyez « rdv-gateway status » et le journal du service."),
    (Audience.IT, Kind.ACCESS_LAPSING): _("Voyez le détail, puis « rdv-gateway check »."),
    (Audience.IT, Kind.HOLDS): _("Voyez « rdv-gateway holds », puis « approve » ou « reject »."),
    (Audience.IT, Kind.WRITES_STOPPED): _("Pour les reprendre : « rdv-gateway resume --writes »."),
    (Audience.IT, Kind.DATABASE): _("Voyez « rdv-gateway status »."),
    (Audience.IT, Kind.DEFECT): _("Signalez-la avec « rdv-gateway support bundle » ; les autres agents continuent."),
    (Audience.IT, Kind.NO_ADDRESS): _(
        "Ils ont un message à recevoir et n'ont d'adresse ni dans RDV-Solidarités ni dans la configuration. Voyez"
        " « rdv-gateway alerts »."
    ),
    (Audience.IT, Kind.UNDELIVERED): _(
        "Voyez « rdv-gateway alerts », « rdv-gateway business » et les adresses de la configuration."
    ),
}

IS_OVER: dict[tuple[Audience, Kind], str] = {
    (Audience.AGENT, Kind.RECONNECT): _("Votre agenda est de nouveau accessible"),
    (Audience.AGENT, Kind.RDV_OVER_BUSY): _("Le RDV ne tombe plus sur un moment où vous êtes occupé·e"),
    (Audience.AGENT, Kind.CONFLICT): _("Le point signalé de votre agenda est réglé"),
    (Audience.REFERENTE, Kind.RDV_OVER_BUSY): _("Des RDV ne tombent plus sur des moments où un agent est occupé"),
    (Audience.REFERENTE, Kind.CONFLICT): _("Des points signalés sont réglés"),
    (Audience.IT, Kind.NEEDS_IT): _("L'accès est rétabli : {subject}"),
    (Audience.IT, Kind.SYSTEM_AWAY): _("Le système répond de nouveau : {subject}"),
    (Audience.IT, Kind.MANY_REFUSED): _("Les accès personnels ne sont plus refusés en nombre : {subject}"),
    (Audience.IT, Kind.SERVICE_SILENT): _("Les agendas sont de nouveau synchronisés"),
    (Audience.IT, Kind.ACCESS_LAPSING): _("L'accès à RDV-Solidarités est renouvelé"),
    (Audience.IT, Kind.HOLDS): _("Plus aucune opération n'attend de décision : {subject}"),
    (Audience.IT, Kind.WRITES_STOPPED): _("Les écritures ont repris"),
    (Audience.IT, Kind.DEFECT): _("L'anomalie ne se produit plus : {subject}"),
    (Audience.IT, Kind.NO_ADDRESS): _("Les agents à prévenir ont tous une adresse"),
}

REASONS = {
    "many_removals": _("trop de suppressions à la fois"),
    "unproven": _("disparitions non prouvées"),
    "found_absence": _("indisponibilités saisies à la main"),
    "shrunken_calendar": _("agenda anormalement vidé"),
    "calendar_restored": _("agenda restauré"),
    "rdv_solidarites_restored": _("RDV-Solidarités restauré"),
    "database_restored": _("base de données restaurée"),
    "many_freed": _("trop de créneaux libérés à la fois"),
    "many_agents": _("trop d'agents concernés à la fois"),
}
"""By the value of `HoldReason`."""

CONFLICTS = {
    "native_sync": _("RDV-Solidarités écrit aussi directement dans l'agenda : chaque RDV y serait en double."),
    "put_back_too_often": _("Un RDV a été déplacé plusieurs fois dans l'agenda : il y reste tel quel jusqu'à demain."),
    "orphan": _("Un élément porte la marque de la passerelle, qui ne le connaît pas."),
    "near_twin": _("Un évènement et une indisponibilité saisie à la main coïncident presque."),
}
"""By the value of `ConflictKind`; those that need a sentence of their own."""

# --- the message -----------------------------------------------------------------------------------------------

SUBJECT = _("[Agenda RDV] {headline}")
SUBJECT_MORE = _("[Agenda RDV] {headline} (et {count} autres points)")
SUBJECT_ONE_MORE = _("[Agenda RDV] {headline} (et un autre point)")
GREETING = _("Bonjour,")
WORDS = {Word.TOLD: "", Word.REMINDER: _("Rappel : "), Word.OVER: _("Terminé : ")}
SINCE = _("Depuis le {when}.")
AGENTS = _("Agents concernés : {count}.")
AGENT_LINE = _("- Agent n° {agent} : {count}")
DETAIL = _("Détail technique : {detail}")
TIME_LINE = _("- {when}")
MORE_LINES = _("- et d'autres : {count}")
SIGNATURE = _("La passerelle d'agendas, {departement}")
SIGNATURE_PLAIN = _("La passerelle d'agendas")
AUTOMATIC = _("Ce message est automatique. Pour toute question : {contact}.")
SOMEBODY = _("votre service informatique")
TEST_SUBJECT = _("[Agenda RDV] Message d'essai")
TEST_BODY = _("Si vous lisez ce message, les alertes arrivent à cette adresse. Il n'y a rien à faire.")

# --- times -----------------------------------------------------------------------------------------------------

DAYS = (_("lundi"), _("mardi"), _("mercredi"), _("jeudi"), _("vendredi"), _("samedi"), _("dimanche"))
MONTHS = (
    *(_("janvier"), _("février"), _("mars"), _("avril"), _("mai"), _("juin")),
    *(_("juillet"), _("août"), _("septembre"), _("octobre"), _("novembre"), _("décembre")),
)
FIRST = _("1er")
DATE = _("{weekday} {day} {month} {year}")
AT = _("{date} à {time}")
FROM_TO = _("{date} de {start} à {end}")
FROM_TO_DAYS = _("du {start} au {end}")
HOUR = _("{hour} h")
HOUR_MINUTE = _("{hour} h {minute:02d}")

# --- the weekly digest -----------------------------------------------------------------------------------------

DIGEST_SUBJECT = _("[Agenda RDV] Bilan de la semaine")
DIGEST_OF = _("Voici où en est la synchronisation des agendas le {when}.")
DIGEST_LINES = {
    "live": _("Agents synchronisés : {count}"),
    "first_run": _("Agents dont la mise en route attend une validation : {count}"),
    "paused": _("Agents en pause : {count}"),
    "fresh": _("Agents à jour : {count}"),
    "stale": _("Agents dont la dernière synchronisation complète est trop ancienne : {count}"),
    "failing": _("Agents en erreur : {count}"),
    "held": _("Opérations en attente d'une décision : {count}"),
    "conflicts": _("Points à régler par une personne : {count}"),
    "set_aside": _("Éléments illisibles laissés de côté : {count}"),
    "copies": _("RDV présents dans les agendas : {count}"),
    "blocks": _("Indisponibilités tenues à jour dans RDV-Solidarités : {count}"),
    "written": _("Écritures ces sept derniers jours : {count}"),
    "open": _("Alertes en cours : {count}"),
}
DIGEST_OLDEST = _("Dernière synchronisation complète la plus ancienne : {when}")
DIGEST_NEVER = _("Agents jamais synchronisés complètement : {count}")
