// What ical.js makes of an event: one JSON question per line on stdin, one JSON answer per line on stdout.
//
// Question: {ics, from, to}, where from and to are seconds since 1970; floating times count as UTC.
// Answer: {found: [[start, its instant, end, its instant], ...]}, those around [from, to), or {error}.
import { createInterface } from "node:readline";
import ICAL from "ical.js";

const DAY = 86400;
const MARGIN = 90 * DAY; // seconds by which an exception may move an occurrence
const MOST = 100000;

function observance(kind, start, before, after, rule) {
  return [`BEGIN:${kind}`, `DTSTART:${start}`, `TZOFFSETFROM:${before}`, `TZOFFSETTO:${after}`,
    ...(rule ? [`RRULE:FREQ=YEARLY;${rule}`] : []), `END:${kind}`];
}

const ZONES = {
  "Europe/Paris": [
    ...observance("DAYLIGHT", "19970330T020000", "+0100", "+0200", "BYMONTH=3;BYDAY=-1SU"),
    ...observance("STANDARD", "19971026T030000", "+0200", "+0100", "BYMONTH=10;BYDAY=-1SU")],
  "America/New_York": [
    ...observance("DAYLIGHT", "20070311T020000", "-0500", "-0400", "BYMONTH=3;BYDAY=2SU"),
    ...observance("STANDARD", "20071104T020000", "-0400", "-0500", "BYMONTH=11;BYDAY=1SU")],
  "America/Miquelon": [
    ...observance("DAYLIGHT", "20070311T020000", "-0300", "-0200", "BYMONTH=3;BYDAY=2SU"),
    ...observance("STANDARD", "20071104T020000", "-0200", "-0300", "BYMONTH=11;BYDAY=1SU")],
  "Australia/Sydney": [
    ...observance("STANDARD", "20080406T030000", "+1100", "+1000", "BYMONTH=4;BYDAY=1SU"),
    ...observance("DAYLIGHT", "20081005T020000", "+1000", "+1100", "BYMONTH=10;BYDAY=1SU")],
  "Indian/Reunion": observance("STANDARD", "19700101T000000", "+0400", "+0400"),
};
for (const [name, lines] of Object.entries(ZONES)) {
  const text = ["BEGIN:VTIMEZONE", `TZID:${name}`, ...lines, "END:VTIMEZONE"].join("\r\n");
  ICAL.TimezoneService.register(new ICAL.Timezone(new ICAL.Component(ICAL.parse(text))));
}

function expand({ ics, from, to }) {
  const events = new ICAL.Component(ICAL.parse(ics)).getAllSubcomponents("vevent").map((each) => new ICAL.Event(each));
  const master = events.find((each) => !each.isRecurrenceException());
  events.filter((each) => each.isRecurrenceException()).forEach((each) => master.relateException(each));
  const found = [];
  const occurrences = master.iterator();
  for (let count = 0; ; count++) {
    if (count > MOST) throw new Error("too many");
    const start = occurrences.next();
    if (!start || start.toUnixTime() > to + MARGIN) break;
    const { startDate, endDate } = master.getOccurrenceDetails(start);
    const [begin, end] = [startDate.toUnixTime(), endDate.toUnixTime()];
    if (begin < to + DAY && end > from - DAY) found.push([startDate.toString(), begin, endDate.toString(), end]);
  }
  return { found };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = expand(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
