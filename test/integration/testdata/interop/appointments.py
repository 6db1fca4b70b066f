"""What an unmodified exchangelib does with calendars, against the server at EWS_URL.

Everything is asserted here; what the Go test compares with the server's own state is printed as one JSON object.
Arguments: URL of the service, address, password.
"""

import json
import sys
import warnings

from exchangelib import (
    BASIC,
    DELEGATE,
    Account,
    CalendarItem,
    Configuration,
    Credentials,
    EWSDate,
    EWSDateTime,
    EWSTimeZone,
    ExtendedProperty,
)
from exchangelib.errors import ErrorInvalidIdMalformed, ErrorInvalidSyncStateData, ErrorItemNotFound
from exchangelib.items import HARD_DELETE, SEND_TO_NONE
from exchangelib.properties import Attendee, Mailbox
from exchangelib.recurrence import Recurrence, WeeklyPattern
from exchangelib.version import EXCHANGE_2016, Version

warnings.simplefilter("ignore")

ROOM = "room1@contoso.example"
PROPERTY_SET = "d7a52b44-1c0d-4a0e-8b0e-4d5d2c1f6e10"


class BookingId(ExtendedProperty):
    property_set_id = PROPERTY_SET
    property_name = "BookingId"
    property_type = "String"


class Tags(ExtendedProperty):
    property_set_id = PROPERTY_SET
    property_name = "Tags"
    property_type = "StringArray"


CalendarItem.register("booking_id", BookingId)
CalendarItem.register("tags", Tags)

BERLIN = EWSTimeZone("Europe/Berlin")
UTC = EWSTimeZone("UTC")


def at(day, hour, minute=0, month=3, zone=BERLIN):
    return EWSDateTime(2026, month, day, hour, minute, tzinfo=zone)


def single(account, result):
    """Create, read, edit, move, delete."""
    item = CalendarItem(
        folder=account.calendar,
        subject="Übergabe <ä&ß> 🏢",
        body="Line one\nLine two",
        start=at(3, 10),
        end=at(3, 11, 30),
        location="Haus 3",
        categories=["Blue", "Räume"],
        reminder_minutes_before_start=5,
        legacy_free_busy_status="Tentative",
        sensitivity="Private",
        importance="High",
        booking_id="B-1",
        tags=["one", "two"],
        required_attendees=[Attendee(mailbox=Mailbox(email_address="bob@contoso.example"), response_type="Unknown")],
        resources=[Attendee(mailbox=Mailbox(email_address=ROOM), response_type="Unknown")],
    )
    item.save(send_meeting_invitations=SEND_TO_NONE)
    first_key = item.changekey
    got = account.calendar.get(id=item.id)
    assert got.subject == item.subject, got.subject
    assert got.body.strip() == item.body, repr(got.body)
    assert got.start == item.start and got.end == item.end
    assert got._start_timezone == BERLIN, got._start_timezone
    assert got.location == "Haus 3" and got.categories == ["Blue", "Räume"]
    assert got.legacy_free_busy_status == "Tentative" and got.sensitivity == "Private" and got.importance == "High"
    assert got.booking_id == "B-1" and got.tags == ["one", "two"]
    assert got.required_attendees[0].mailbox.email_address == "bob@contoso.example"
    assert got.resources[0].mailbox.email_address == ROOM
    assert got.organizer.email_address == account.primary_smtp_address, got.organizer
    assert got.is_meeting and not got.is_recurring and got.type == "Single"
    assert got.uid.startswith("040000008200E00074C5B7101A82E008")
    assert got.duration == "PT1H30M", got.duration

    got.subject = "Umgezogen"
    got.start, got.end = at(4, 9), at(4, 10)
    got.save(send_meeting_invitations=SEND_TO_NONE, update_fields=["subject", "start", "end"])
    assert got.id == item.id and got.changekey != first_key
    got.booking_id = None
    got.save(send_meeting_invitations=SEND_TO_NONE, update_fields=["booking_id"])
    again = account.calendar.get(id=item.id)
    assert again.subject == "Umgezogen" and again.start == at(4, 9) and again.booking_id is None
    result["edited"] = again.id

    moved = CalendarItem(folder=account.calendar, subject="Weg", start=at(5, 9), end=at(5, 10))
    moved.save(send_meeting_invitations=SEND_TO_NONE)
    before = moved.id
    moved.move(to_folder=account.trash)
    assert moved.id != before
    # exchangelib hands such errors back in place of the item
    assert isinstance(account.calendar.get(id=before), ErrorItemNotFound)
    gone = CalendarItem(folder=account.calendar, subject="Gone", start=at(6, 9), end=at(6, 10))
    gone.save(send_meeting_invitations=SEND_TO_NONE)
    gone.delete(send_meeting_cancellations=SEND_TO_NONE)
    copied = again.copy(to_folder=account.calendar)
    copy = account.calendar.get(id=copied[0])
    assert copy.uid == again.uid
    copy.delete(send_meeting_cancellations=SEND_TO_NONE)


def all_day(account, result):
    item = CalendarItem(
        folder=account.calendar, subject="Messe", start=EWSDate(2026, 3, 9), end=EWSDate(2026, 3, 10), is_all_day=True
    )
    item.save(send_meeting_invitations=SEND_TO_NONE)
    got = account.calendar.get(id=item.id)
    assert got.is_all_day and got.start == EWSDate(2026, 3, 9) and got.end == EWSDate(2026, 3, 10), (got.start, got.end)
    result["allDay"] = item.id


def series(account, result):
    """A weekly series across the change to summer time, one occurrence edited and one deleted."""
    master = CalendarItem(
        folder=account.calendar,
        subject="Jour fixe",
        start=at(16, 10),
        end=at(16, 11),
        recurrence=Recurrence(pattern=WeeklyPattern(interval=1, weekdays=["Monday"]), start=EWSDate(2026, 3, 16), number=5),
    )
    master.save(send_meeting_invitations=SEND_TO_NONE)
    view = list(account.calendar.view(start=at(15, 0), end=at(30, 0, month=4)).order_by("start"))
    starts = [i.start.astimezone(BERLIN) for i in view if i.subject == "Jour fixe"]
    assert len(starts) == 5, starts
    assert all(s.hour == 10 for s in starts), starts  # 10 o'clock before and after 29 March
    assert {s.astimezone(UTC).hour for s in starts} == {8, 9}
    occurrences = [i for i in view if i.subject == "Jour fixe"]
    assert {i.type for i in occurrences} == {"Occurrence"} and all(i.is_recurring for i in occurrences)
    assert len({i.uid for i in occurrences}) == 1

    second = account.calendar.get(id=occurrences[1].id)
    assert second.original_start == second.start, (second.original_start, second.start)
    second.subject, second.start, second.end = "Jour fixe (verschoben)", at(24, 14), at(24, 15)
    second.save(send_meeting_invitations=SEND_TO_NONE, update_fields=["subject", "start", "end"])
    account.calendar.get(id=occurrences[2].id).delete(send_meeting_cancellations=SEND_TO_NONE)

    got = account.calendar.get(id=master.id)
    assert got.type == "RecurringMaster" and not got.is_recurring
    assert got.first_occurrence.start == at(16, 10) and got.last_occurrence.start == at(13, 10, month=4)
    assert [o.start for o in got.modified_occurrences] == [at(24, 14)]
    assert [o.original_start for o in got.modified_occurrences] == [at(23, 10)]
    assert [o.start for o in got.deleted_occurrences] == [at(30, 10)]
    assert got.recurrence.boundary.number == 5 and got.recurrence.pattern.weekdays == [1]
    assert got.changekey != master.changekey
    by_index = master.occurrence(index=4)
    by_index.refresh()
    assert by_index.start == at(6, 10, month=4), by_index.start
    recovered = occurrences[0].recurring_master()
    recovered.refresh()
    assert recovered.id == master.id
    left = [i for i in account.calendar.view(start=at(15, 0), end=at(30, 0, month=4)) if i.uid == got.uid]
    assert len(left) == 4 and {i.type for i in left} == {"Occurrence", "Exception"}
    result["series"], result["uid"] = master.id, got.uid


def search(account):
    for n in range(3):
        CalendarItem(
            folder=account.calendar, subject=f"Suche {n}", start=at(20, 8 + n), end=at(20, 9 + n), booking_id=f"S-{n}"
        ).save(send_meeting_invitations=SEND_TO_NONE)
    assert [i.subject for i in account.calendar.filter(booking_id="S-1")] == ["Suche 1"]
    assert account.calendar.filter(subject__startswith="Suche").count() == 3
    assert account.calendar.filter(subject__icontains="sUCHe 2").count() == 1
    assert account.calendar.filter(start__gte=at(20, 9), end__lte=at(20, 11), subject__contains="Suche").count() == 2
    assert account.calendar.filter(booking_id__exists=True).count() == 3
    order = [i.subject for i in account.calendar.filter(subject__startswith="Suche").order_by("-start").only("subject")]
    assert order == ["Suche 2", "Suche 1", "Suche 0"], order
    account.calendar.filter(subject__startswith="Suche").delete(send_meeting_cancellations=SEND_TO_NONE)
    assert not account.calendar.filter(subject__startswith="Suche").exists()


def sync(account, result):
    """sync_items lists masters and singles, then only what changed."""
    changes = list(account.calendar.sync_items(only_fields=["subject"]))
    assert {c for c, _ in changes} == {"create"}
    result["synced"] = sorted(i.subject for _, i in changes)
    state = account.calendar.item_sync_state
    assert len(state) >= 420
    assert list(account.calendar.sync_items(sync_state=state)) == []

    fresh = CalendarItem(folder=account.calendar, subject="Neu", start=at(21, 9), end=at(21, 10))
    fresh.save(send_meeting_invitations=SEND_TO_NONE)
    edited = account.calendar.get(id=result["edited"])
    edited.location = "Haus 4"
    edited.save(send_meeting_invitations=SEND_TO_NONE, update_fields=["location"])
    gone = account.calendar.get(id=result["allDay"])
    account.bulk_delete([gone], delete_type=HARD_DELETE, send_meeting_cancellations=SEND_TO_NONE)
    occurrence = account.calendar.get(id=result["series"]).occurrence(index=1)
    occurrence.refresh()
    occurrence.location = "Anderswo"
    occurrence.save(send_meeting_invitations=SEND_TO_NONE, update_fields=["location"])
    got = {(kind, i.id) for kind, i in account.calendar.sync_items(sync_state=state, only_fields=["subject"])}
    want = {("create", fresh.id), ("update", edited.id), ("delete", result["allDay"]), ("update", result["series"])}
    assert got == want, (got, want)
    try:
        list(account.inbox.sync_items(sync_state=state))
        raise AssertionError("a state of another folder was accepted")
    except ErrorInvalidSyncStateData:
        pass
    fresh.delete(send_meeting_cancellations=SEND_TO_NONE)


def others(account):
    """Availability, names, rooms, folders, errors."""
    info = list(
        account.protocol.get_free_busy_info(
            accounts=[(account.primary_smtp_address, "Required", False)],
            start=at(4, 0), end=at(5, 0), merged_free_busy_interval=60, requested_view="DetailedMerged",
        )
    )[0]
    assert info.view_type == "DetailedMerged" and len(info.merged) == 24, info
    assert info.merged == "000000000100000000000000", info.merged
    assert len(info.calendar_events) == 1 and info.calendar_events[0].busy_type == "Tentative"
    assert info.calendar_events[0].start.hour == 9, info.calendar_events[0].start

    assert [m.email_address for m in account.protocol.resolve_names(["Bob"])] == ["bob@contoso.example"]
    lists = list(account.protocol.get_roomlists())
    assert [r.email_address for r in lists] == ["rooms@contoso.example"]
    assert [r.email_address for r in account.protocol.get_rooms(lists[0].email_address)] == [ROOM]

    names = {f.name for f in account.root.walk()}
    assert {"Calendar", "Inbox", "Deleted Items"} <= names, names
    zones = list(account.protocol.get_timezones(timezones=[BERLIN], return_full_timezone_data=True))
    assert [z.id for z in zones] == ["W. Europe Standard Time"]
    assert len(list(account.protocol.get_timezones())) > 100
    assert isinstance(next(account.fetch([("AAMkinvalid", None)])), ErrorInvalidIdMalformed)


def main():
    url, address, password = sys.argv[1:4]
    config = Configuration(
        service_endpoint=url, credentials=Credentials(address, password), auth_type=BASIC, version=Version(EXCHANGE_2016)
    )
    account = Account(address, config=config, autodiscover=False, access_type=DELEGATE, default_timezone=BERLIN)
    result = {}
    single(account, result)
    all_day(account, result)
    series(account, result)
    search(account)
    others(account)
    sync(account, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
