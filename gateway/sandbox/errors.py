"""What the double refuses, in the words of the real server."""

from __future__ import annotations

_MESSAGES = {
    "blank": "doit être rempli",
    "after_start": "doit être après le début",
    "realistic": "doit être entre 2018 et dans cinq ans",
    "one_day": "n'est pas possible sur plusieurs jours",
    "starts_first_day": "doit commencer le premier jour",
    "ends_after_start": "doit se terminer après le premier jour",
    "positive": "doit être supérieur à 0",
    "foreign": "doit être de l'organisation",
    "inclusion": "n'est pas dans la liste",
    "taken": "est déjà utilisé",
}


class Refused(Exception):
    """An answer other than success: `status` and JSON `body` exactly as sent; `messages` for a person."""

    def __init__(self, status: int, body: object, messages: tuple[str, ...] = ()) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.messages = messages


def unauthenticated() -> Refused:
    return Refused(401, {"errors": ["Vous devez vous connecter ou vous inscrire pour continuer."]})


def forbidden() -> Refused:
    message = "Vous n'avez pas l'autorisation de faire cette action."
    return Refused(403, {"errors": [{"base": "forbidden"}], "error_messages": [message]}, (message,))


def not_found(what: str) -> Refused:
    """The explicit form, for absences and for the e-mail of an agent."""
    return Refused(404, {"not_found": what}, ("Introuvable.",))


def no_such_record(model: str) -> Refused:
    """The other form, for whatever else is looked up by id."""
    return Refused(404, {"success": False, "errors": [f"Couldn't find {model}"]}, ("Introuvable.",))


def missing_parameter(name: str) -> Refused:
    return Refused(422, {"success": False, "errors": [f"param is missing or the value is empty: {name}"]})


def invalid(faults: dict[str, list[str]]) -> Refused:
    """A record that does not validate; `faults` are codes (see `_MESSAGES`) by attribute."""
    messages = [f"{attribute} {_MESSAGES[code]}" for attribute, codes in faults.items() for code in codes]
    errors = {attribute: [{"error": code} for code in codes] for attribute, codes in faults.items()}
    return Refused(422, {"success": False, "errors": errors, "error_messages": messages}, tuple(messages))


def broken() -> Refused:
    """Where the real server has an unhandled exception."""
    return Refused(500, {"errors": ["Unexpected internal error"]})
