"""Tables of the double. Days and times of day are text as typed; instants are UTC text `YYYY-MM-DD HH:MM:SS`.

`rdvs.heap_position` stands for PostgreSQL's heap order: the real RDV list has no ORDER BY, so rows come as they lie on
disk, and an updated row moves to the end.
"""

VERSION = 2

TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE territories (id INTEGER PRIMARY KEY, name TEXT NOT NULL, departement_number TEXT NOT NULL);
CREATE TABLE services (id INTEGER PRIMARY KEY, name TEXT NOT NULL, secretariat INTEGER NOT NULL);
CREATE TABLE organisations (
    id INTEGER PRIMARY KEY, territory_id INTEGER NOT NULL REFERENCES territories, name TEXT NOT NULL,
    phone_number TEXT, email TEXT, time_zone TEXT NOT NULL, zone_mode TEXT NOT NULL);
CREATE TABLE agents (
    id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, email TEXT UNIQUE, password TEXT,
    created_at TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE agent_services (agent_id INTEGER NOT NULL, service_id INTEGER NOT NULL, PRIMARY KEY (agent_id, service_id))
    WITHOUT ROWID;
CREATE TABLE agent_roles (
    id INTEGER PRIMARY KEY, agent_id INTEGER NOT NULL, organisation_id INTEGER NOT NULL, access_level TEXT NOT NULL,
    UNIQUE (agent_id, organisation_id));
CREATE INDEX agent_roles_organisation ON agent_roles (organisation_id, agent_id);
CREATE TABLE territorial_admins (agent_id INTEGER NOT NULL, territory_id INTEGER NOT NULL,
    PRIMARY KEY (agent_id, territory_id)) WITHOUT ROWID;
CREATE TABLE withheld_rights (caller_id INTEGER NOT NULL, kind TEXT NOT NULL, target_id INTEGER NOT NULL,
    PRIMARY KEY (caller_id, kind, target_id)) WITHOUT ROWID;
CREATE TABLE motifs (
    id INTEGER PRIMARY KEY, organisation_id INTEGER NOT NULL, service_id INTEGER NOT NULL, name TEXT NOT NULL,
    location_type TEXT NOT NULL, collectif INTEGER NOT NULL, follow_up INTEGER NOT NULL, bookable_by TEXT NOT NULL,
    instruction_for_rdv TEXT, deleted_at TEXT);
CREATE TABLE lieux (
    id INTEGER PRIMARY KEY, organisation_id INTEGER NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL,
    phone_number TEXT, single_use INTEGER NOT NULL);
CREATE TABLE users (
    id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, birth_date TEXT, email TEXT,
    phone_number TEXT, address TEXT, caisse_affiliation TEXT, affiliation_number TEXT, family_situation TEXT,
    number_of_children INTEGER, logement TEXT, notes TEXT, case_number TEXT, responsible_id INTEGER,
    created_at TEXT NOT NULL);
CREATE TABLE absences (
    id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id INTEGER NOT NULL, title TEXT NOT NULL, first_day TEXT NOT NULL,
    start_time TEXT NOT NULL, end_day TEXT NOT NULL, end_time TEXT NOT NULL, rrule TEXT);
CREATE INDEX absences_listing ON absences (first_day DESC, start_time DESC, id);
CREATE INDEX absences_agent ON absences (agent_id, first_day);
CREATE TABLE rdvs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL, organisation_id INTEGER NOT NULL,
    motif_id INTEGER NOT NULL, lieu_id INTEGER, starts_at TEXT NOT NULL, ends_at TEXT NOT NULL, status TEXT NOT NULL,
    context TEXT, name TEXT, cancelled_at TEXT, max_participants_count INTEGER, created_by_type TEXT NOT NULL,
    created_by_id INTEGER, created_at TEXT NOT NULL, heap_position INTEGER NOT NULL);
CREATE INDEX rdvs_window ON rdvs (organisation_id, starts_at);
CREATE TABLE rdv_agents (id INTEGER PRIMARY KEY, rdv_id INTEGER NOT NULL, agent_id INTEGER NOT NULL,
    UNIQUE (rdv_id, agent_id));
CREATE INDEX rdv_agents_agent ON rdv_agents (agent_id, rdv_id);
CREATE TABLE participations (
    id INTEGER PRIMARY KEY, rdv_id INTEGER NOT NULL, user_id INTEGER NOT NULL, status TEXT NOT NULL,
    notified INTEGER NOT NULL, created_by_type TEXT NOT NULL, created_by_id INTEGER, UNIQUE (rdv_id, user_id));
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, rdv_id INTEGER NOT NULL, user_id INTEGER NOT NULL);
CREATE TABLE devise_tokens (
    agent_id INTEGER PRIMARY KEY, token TEXT NOT NULL, client TEXT NOT NULL, expires_at TEXT NOT NULL);
CREATE TABLE oauth_codes (
    code TEXT PRIMARY KEY, agent_id INTEGER NOT NULL, redirect_uri TEXT NOT NULL, expires_at TEXT NOT NULL,
    challenge TEXT NOT NULL);
CREATE TABLE oauth_tokens (
    id INTEGER PRIMARY KEY, agent_id INTEGER NOT NULL, access_token TEXT NOT NULL UNIQUE,
    refresh_token TEXT NOT NULL UNIQUE, expires_at TEXT NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE webhook_endpoints (
    id INTEGER PRIMARY KEY, organisation_id INTEGER NOT NULL, target_url TEXT NOT NULL, secret TEXT NOT NULL,
    subscriptions TEXT NOT NULL, UNIQUE (organisation_id, target_url));
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint_id INTEGER NOT NULL, model TEXT NOT NULL, record_id INTEGER NOT NULL,
    event TEXT NOT NULL, reason TEXT, body TEXT, due_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT 'pending', last_answer TEXT);
CREATE INDEX deliveries_due ON deliveries (outcome, due_at, id);
"""
