# ruff: noqa: PLC0415 - a command's modules are imported when it runs
"""The command line: names, options and help of every command.

Each command's work is in a module of its own, imported when it runs: `--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.alert_commands import alerts_app
from gateway.cli.business_commands import business_app, tokens_app
from gateway.cli.exits import Exit
from gateway.cli.feed_commands import feeds_app
from gateway.cli.guard_commands import HoldReasonName, OperationClassName, holds, outage_app, pins, reject, undo
from gateway.cli.journal_commands import journal_app
from gateway.cli.options import DEFAULT_CONFIG as _CONFIG
from gateway.cli.options import AgentIds, Agents, Config, Everybody, Json, Output, Wave
from gateway.cli.rules_commands import rules_app, seen_by
from gateway.cli.webhooks_commands import webhooks_app

app = typer.Typer(
    name="rdv-gateway",
    help="Reconcile agents' calendars with RDV-Solidarités.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
database_app = typer.Typer(help="Look after the database.", no_args_is_help=True)
app.add_typer(database_app, name="db")
support_app = typer.Typer(help="When something is wrong.", no_args_is_help=True)
app.add_typer(support_app, name="support")
access_app = typer.Typer(help="Look after the access to RDV-Solidarités.", no_args_is_help=True)
app.add_typer(access_app, name="rdvs")
agents_app = typer.Typer(help="Who the agents are, and which calendars are theirs.", invoke_without_command=True)
app.add_typer(agents_app, name="agents")
app.add_typer(rules_app, name="rules")
app.add_typer(journal_app, name="journal")
app.add_typer(webhooks_app, name="webhooks")
app.command(name="seen-by")(seen_by)
app.add_typer(outage_app, name="outage")
app.add_typer(alerts_app, name="alerts")
app.add_typer(feeds_app, name="feeds")
app.add_typer(tokens_app, name="tokens")
app.add_typer(business_app, name="business")
for command_on_holds in (holds, reject, pins, undo):
    app.command()(command_on_holds)


@app.callback()
def options(
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option("--log-level", envvar="RDV_GATEWAY_LOG_LEVEL", help="How much is logged on stderr."),
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line.")] = False,
) -> None:
    """Reconcile agents' calendars with RDV-Solidarités."""
    from gateway import logs

    logs.configure(log_level or "warning", json=log_json)


@app.command()
def init(
    *,
    url: Annotated[str | None, typer.Option("--url", help="Address of the RDV-Solidarités instance.")] = None,
    login: Annotated[str | None, typer.Option("--login", help="E-mail of the technical account there.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="A name for the calendar account.")] = None,
    account_url: Annotated[str | None, typer.Option("--account-url", help="CalDAV address of that account.")] = None,
    username: Annotated[str | None, typer.Option("--username", help="User name of that account.")] = None,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Make a configuration file, a key file and a database; asks what the options leave open."""
    from gateway.cli import init as command

    answers = command.Answers(url=url, login=login, account=account, account_url=account_url, username=username)
    _end(command.run(config, answers, as_json=as_json))


@app.command()
def check(
    retry: Annotated[bool, typer.Option("--retry", help="Try calendar passwords again that were refused.")] = False,
    write_test: Annotated[
        int | None,
        typer.Option("--write-test", metavar="ID", help="Make and remove one absence of this agent, a year ago."),
    ] = None,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Try everything that a sync needs, write nothing, and say who can mend what fails."""
    from gateway.cli import check as command

    _end(command.run(config, as_json=as_json, retry=retry, write_test=write_test))


@agents_app.callback()
def agents(context: typer.Context, config: Config = _CONFIG, as_json: Json = False) -> None:
    """List the agents of RDV-Solidarités, who is enrolled, and the age of each one's last complete sync."""
    if context.invoked_subcommand is not None:
        return
    from gateway.cli import agents as command

    _end(command.run(config, as_json=as_json))


@agents_app.command(name="export")
def agents_export(output: Output = None, config: Config = _CONFIG, as_json: Json = False) -> None:
    """Write the mapping file: every agent, and which calendars are theirs."""
    from gateway.cli import agents_file as command

    _end(command.export(config, output, as_json=as_json))


@agents_app.command(name="import")
def agents_import(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The mapping file, CSV or JSON.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Change what differs. Without it, only say what would be.")
    ] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Take over a mapping file. A line that cannot be used is set aside and named; the rest goes on."""
    from gateway.cli import agents_file as command

    _end(command.import_(config, file, yes=yes, as_json=as_json))


@agents_app.command(name="propose")
def agents_propose(
    *,
    output: Output = None,
    wave_size: Annotated[
        int | None, typer.Option("--wave-size", min=1, max=10_000, help="Number the agents in waves of so many.")
    ] = None,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Look for the calendars of everybody who has none here yet, by e-mail, and write the mapping file."""
    from gateway.cli import agents_file as command

    _end(command.propose(config, output, wave_size, as_json=as_json))


@agents_app.command(name="relink")
def agents_relink(
    *,
    agent: Annotated[int, typer.Argument(metavar="AGENT", help="The agent's id.")],
    to: Annotated[str, typer.Option("--to", metavar="CALENDAR", help="Where their calendar is now; `check` says.")],
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Follow a calendar of an agent to its new address; what is paired stays paired."""
    from gateway.cli import relink as command

    _end(command.run(config, agent, to, as_json=as_json))


@agents_app.command(name="notice")
def agents_notice(
    *,
    agent: AgentIds = None,
    wave: Wave = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="Write each notice into a file of its own, there.")
    ] = None,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Print the notice to agents, in French: what is read, what colleagues see, how to stop. Sends nothing."""
    from gateway.cli import notice as command

    _end(command.run(config, tuple(agent or ()), wave, directory, as_json=as_json))


@app.command()
def enroll(
    *,
    agent: Annotated[
        str | None, typer.Argument(metavar="AGENT_ID|EMAIL", help="Who, as RDV-Solidarités knows them.")
    ] = None,
    wave: Annotated[
        int | None, typer.Option("--wave", metavar="N", min=1, help="Everybody who is matched with this wave.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="Name of the calendar account; left out: as matched.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="CALENDAR", help="The calendar that receives copies of RDVs.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="CALENDAR", help="A calendar whose events block; may be repeated."),
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="The agent's time zone if it is another.")] = None,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Link agents to calendars. Nothing is written to either side before their first plan is approved."""
    from gateway.cli import enroll as command

    wish = command.Wish(agent=agent, account=account, target=target, sources=tuple(source or ()), zone=zone, wave=wave)
    _end(command.run(config, wish, as_json=as_json))


@app.command()
def pause(
    *,
    agent: AgentIds = None,
    wave: Wave = None,
    every: Everybody = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Stop the sync of agents for now. What was written stays; what was approved is to be approved again."""
    from gateway.cli import pausing as command
    from gateway.cli.choosing import Whom

    whom = Whom(agents=tuple(agent or ()), wave=wave, every=every)
    _end(command.run(config, whom, paused=True, as_json=as_json))


@app.command()
def resume(
    *,
    agent: AgentIds = None,
    wave: Wave = None,
    every: Everybody = False,
    writes: Annotated[bool, typer.Option("--writes", help="Lift the stop of all writes, in place of agents.")] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Let the sync of paused agents go on; with --writes, let writes go on after `stop`."""
    from gateway.cli import pausing as command
    from gateway.cli import stopping
    from gateway.cli.choosing import Whom

    whom = Whom(agents=tuple(agent or ()), wave=wave, every=every)
    if writes:
        _end(stopping.resume(config, whom, as_json=as_json))
    _end(command.run(config, whom, paused=False, as_json=as_json))


@app.command()
def leave(
    *,
    agent: AgentIds = None,
    every: Everybody = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was written where it is.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Find what was written, and remove it.")] = False,
    statement: Annotated[
        Path | None, typer.Option("--statement", metavar="FILE", help="Where to write what was found and done.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Stop the sync of agents for good, and keep or remove what was written for them."""
    from gateway.cli import leave as command

    code = command.run(
        config, tuple(agent or ()), statement, every=every, keep=keep, remove=remove, yes=yes, as_json=as_json
    )
    _end(code)


@app.command()
def plan(agent: Agents = None, config: Config = _CONFIG, as_json: Json = False) -> None:
    """Read both sides and say what a sync would write, by which rule, and how long it would take."""
    from gateway.cli import runs as command

    _end(command.run(config, agent, dry_run=True, as_json=as_json))


@app.command()
def sync(agent: Agents = None, config: Config = _CONFIG, as_json: Json = False) -> None:
    """Read both sides and write what the plan says, but for what is held."""
    from gateway.cli import runs as command

    _end(command.run(config, agent, dry_run=False, as_json=as_json))


@app.command()
def approve(
    *,
    agent: Annotated[list[int] | None, typer.Argument(metavar="AGENT", help="Agents' ids.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every agent who has something held.")] = False,
    wave: Annotated[
        int | None, typer.Option("--wave", metavar="N", min=1, help="The first runs of this wave, as one.")
    ] = None,
    only_class: Annotated[OperationClassName | None, typer.Option("--class", help="Only this class.")] = None,
    reason: Annotated[HoldReasonName | None, typer.Option("--reason", help="Only what is held for this.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking.")] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Show what is held and let it through; the next sync does it."""
    from gateway.cli import approve as command

    choice = command.Choice(agents=tuple(agent or ()), every=every, op_class=only_class, reason=reason, wave=wave)
    _end(command.run(config, choice, yes=yes, as_json=as_json))


@app.command()
def status(config: Config = _CONFIG, as_json: Json = False) -> None:
    """Say how each enrolled agent stands, what is held, and how the last runs went. Reaches no remote system."""
    from gateway.cli import status as command

    _end(command.run(config, as_json=as_json))


@app.command()
def slow(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=400, help="How many.")] = 20,
    latest: Annotated[bool, typer.Option("--latest", help="The latest first, in place of the worst.")] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """List the slowest steps of the last 30 days, and what they were about. Reaches no remote system."""
    from gateway.cli import slow as command

    _end(command.run(config, limit, latest=latest, as_json=as_json))


@app.command()
def conflicts(agent: AgentIds = None, config: Config = _CONFIG, as_json: Json = False) -> None:
    """List what a person should know or settle, and what to do about it. Reaches no remote system."""
    from gateway.cli import conflicts as command

    _end(command.run(config, tuple(agent or ()), as_json=as_json))


@app.command()
def explain(
    *,
    agent: Annotated[int | None, typer.Argument(metavar="[AGENT]", help="The agent's id.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Why is this time blocked, or not? 2026-03-02T09:00, or a day."),
    ] = None,
    rdv: Annotated[int | None, typer.Option("--rdv", metavar="ID", help="What became of this RDV?")] = None,
    absence: Annotated[int | None, typer.Option("--absence", metavar="ID", help="What became of this absence?")] = None,
    event: Annotated[
        str | None,
        typer.Option("--event", metavar="HREF", help="What became of this event? By UID too if the agent is named."),
    ] = None,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Say why a time is blocked or not, or what became of a thing. By the last readings; reaches no remote system."""
    from gateway.cli import explain as command

    question = command.Question(agent=agent, at=at, rdv=rdv, absence=absence, event=event)
    _end(command.run(config, question, as_json=as_json))


@app.command()
def audit(
    *,
    agent: AgentIds = None,
    wave: Wave = None,
    repair_shadow: Annotated[
        bool,
        typer.Option("--repair-shadow", help="Let the next sync read whole the calendars whose shadow is stale."),
    ] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Compare both sides as they are now, completely, with the database. Writes to neither; the number is to be 0."""
    from gateway.cli import audit as command

    _end(command.run(config, tuple(agent or ()), wave, repair_shadow=repair_shadow, as_json=as_json))


@app.command()
def stop(
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for colleagues: shown by status, plan and check.")] = "",
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Stop all writes to both sides; a running sync obeys before its next write."""
    from gateway.cli import stopping as command

    _end(command.stop(config, reason=reason, as_json=as_json))


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Three rounds, then stop.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="Where to keep the demo; a temporary place by default.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the sandbox; 0: any free one.")] = 0,
    caldav_port: Annotated[
        int, typer.Option("--caldav-port", min=0, max=65535, help="Port of Radicale; 0: any free one.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Show both directions on this machine: a real Radicale, and the sandbox in place of RDV-Solidarités."""
    from gateway.demo import command

    _end(command.run(once=once, directory=directory, port=port, caldav_port=caldav_port, as_json=as_json))


@app.command()
def serve(context: typer.Context, config: Config = _CONFIG, as_json: Json = False) -> None:
    """Sync by itself, in the background of a server, until SIGTERM or Ctrl-C."""
    from gateway.cli import serve as command

    given = context.parent.params if context.parent is not None else {}
    level, in_json = given.get("log_level"), bool(given.get("log_json"))
    _end(command.run(config, log_level=level, log_json=in_json, as_json=as_json))


@app.command()
def sandbox(
    *,
    directory: Annotated[Path, typer.Option("--directory", help="Where its state is kept.")] = Path("sandbox"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any free one.")] = 8900,
    as_json: Json = False,
) -> None:
    """Serve a double of RDV-Solidarités, for trying and testing, until Ctrl-C."""
    from gateway.cli import sandbox as command

    _end(command.run(directory=directory, port=port, as_json=as_json))


@database_app.command()
def upgrade(config: Config = _CONFIG, as_json: Json = False) -> None:
    """Bring the database to this version of the gateway; makes it if there is none."""
    from gateway.cli import database as command

    _end(command.run(config, as_json=as_json))


@database_app.command()
def copy(
    *,
    to: Annotated[str, typer.Option("--to", metavar="PATH|URL", help="A new file, or postgresql://user@host/name.")],
    password_env: Annotated[
        str | None, typer.Option("--password-env", help="Environment variable that holds the password for --to.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File that holds the password for --to.")
    ] = None,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Copy the database to another place, SQLite or PostgreSQL, while nobody syncs; verify every table."""
    from gateway.cli import database as command

    target = command.Target(to, password_env=password_env, password_file=password_file)
    _end(command.copy(config, target, as_json=as_json))


@access_app.command()
def login(
    *,
    listen: Annotated[
        bool, typer.Option("--listen", help="Wait for the browser on this machine, in place of pasting its address.")
    ] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Get the technical account's consent (OAuth): the browser may be on any machine."""
    from gateway.cli import rdvs as command

    _end(command.login(config, listen=listen, as_json=as_json))


@access_app.command("status")
def access_status(config: Config = _CONFIG, as_json: Json = False) -> None:
    """Say who the gateway is for RDV-Solidarités, since when, and whether it can come in."""
    from gateway.cli import rdvs as command

    _end(command.status(config, as_json=as_json))


@access_app.command()
def logout(config: Config = _CONFIG, as_json: Json = False) -> None:
    """Forget the access that is kept here."""
    from gateway.cli import rdvs as command

    _end(command.logout(config, as_json=as_json))


@support_app.command()
def bundle(
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.zip", help="A new file.")],
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Where the log is kept; its end goes in, word by word.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no server: no portraits, no clocks.")] = False,
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Write what a maintainer needs into a file: numbers, versions, switches; no title, no name, no secret."""
    from gateway.cli import support as command

    _end(command.bundle(config, to, log=log, offline=offline, as_json=as_json))


@support_app.command()
def who(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.")],
    name: Annotated[list[str], typer.Argument(metavar="NAME", help="A name in it, such as agent-3f9a1c0b2d.")],
    config: Config = _CONFIG,
    as_json: Json = False,
) -> None:
    """Say, with this machine's keys, whom or what a name in a bundle means."""
    from gateway.cli import support as command

    _end(command.who(config, file, name, as_json=as_json))


def _end(code: Exit) -> None:
    raise typer.Exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; an error is one clear line, never a traceback for a user's."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=given)
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever it is, say it and set the code
        from gateway.cli import failures

        sys.exit(failures.tell(error, as_json="--json" in given))
