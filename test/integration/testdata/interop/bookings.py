"""What an unmodified exchangelib sees of appointments that our writer made, and edits that it makes in them.

Arguments: URL of the service, address, password, property set of our own properties, "read" or "edit", then what: the
ids to read, or the ids of a single appointment and of a series. Prints one JSON object.
"""

import datetime
import json
import sys
import warnings

from exchangelib import BASIC, DELEGATE, Account, CalendarItem, Configuration, Credentials, EWSDate, EWSDateTime, EWSTimeZone, ExtendedProperty, HTMLBody
from exchangelib.items import SEND_TO_NONE
from exchangelib.version import EXCHANGE_2016, Version

warnings.simplefilter("ignore")

UTC = EWSTimeZone("UTC")
HOUR = datetime.timedelta(hours=1)


def register(property_set):
    def own(name):
        return type(name, (ExtendedProperty,), {"property_set_id": property_set, "property_name": name, "property_type": "String"})

    CalendarItem.register("booking_id", own("BookingId"))
    CalendarItem.register("booking_revision", own("BookingRevision"))


def moment(value):
    if isinstance(value, EWSDate) and not isinstance(value, EWSDateTime):
        return str(value)  # of an all-day item the library tells days, the last one included
    return value.astimezone(UTC).isoformat()


def people(attendees):
    return [a.mailbox.email_address for a in attendees or []]


def recurrence(item):
    if item.recurrence is None:
        return ""
    # The library does not read a range's start as Exchange writes it, "2026-03-17Z": the first meeting tells it instead.
    return f"{item.recurrence.pattern} / {item.recurrence.boundary.number} from {moment(item.first_occurrence.start)}"


def shown(item):
    return {
        "subject": item.subject or "",
        "body": str(item.body or ""),
        "html": isinstance(item.body, HTMLBody),
        "location": item.location or "",
        "start": moment(item.start),
        "end": moment(item.end),
        "zone": item._start_timezone.ms_id,
        "endZone": item._end_timezone.ms_id,
        "allDay": item.is_all_day,
        "freeBusy": item.legacy_free_busy_status,
        "sensitivity": item.sensitivity,
        "reminder": item.reminder_minutes_before_start if item.reminder_is_set else -1,
        "categories": item.categories or [],
        "required": people(item.required_attendees),
        "optional": people(item.optional_attendees),
        "resources": people(item.resources),
        "recurrence": recurrence(item),
        "type": item.type,
        "modified": [[moment(o.original_start), moment(o.start)] for o in item.modified_occurrences or []],
        "deleted": [moment(o.start) for o in item.deleted_occurrences or []],
        "bookingId": item.booking_id,
        "revision": item.booking_revision,
    }


def read(account, ids):
    return {"items": [shown(account.calendar.get(id=i)) for i in ids]}


def edit(account, single, series):
    item = account.calendar.get(id=single)
    item.location, item.body, item.categories = "Haus 9", HTMLBody("<p>Neu</p>"), None
    item.reminder_is_set = False
    item.save(update_fields=["location", "body", "categories", "reminder_is_set"], send_meeting_invitations=SEND_TO_NONE)
    second = account.calendar.get(id=series).occurrence(index=2)
    second.refresh()
    second.start, second.end, second.subject = second.start + HOUR, second.end + HOUR, "Eine Stunde später"
    second.save(update_fields=["start", "end", "subject"], send_meeting_invitations=SEND_TO_NONE)
    account.calendar.get(id=series).occurrence(index=3).delete(send_meeting_cancellations=SEND_TO_NONE)
    own = CalendarItem(
        folder=account.calendar, subject="Von aussen", start=EWSDateTime(2026, 5, 5, 9, tzinfo=UTC), end=EWSDateTime(2026, 5, 5, 10, tzinfo=UTC),
        booking_id="R-9", booking_revision="12",
    )
    own.save(send_meeting_invitations=SEND_TO_NONE)
    found = [i.id for i in account.calendar.filter(booking_id="R-9")]
    return {"created": own.id, "found": found}


def main():
    url, address, password, property_set, verb, *ids = sys.argv[1:]
    register(property_set)
    config = Configuration(
        service_endpoint=url, credentials=Credentials(address, password), auth_type=BASIC, version=Version(EXCHANGE_2016)
    )
    account = Account(address, config=config, autodiscover=False, access_type=DELEGATE)
    print(json.dumps(read(account, ids) if verb == "read" else edit(account, *ids)))


if __name__ == "__main__":
    main()
