"""Makes one change after the other in a calendar, each when a line comes on standard input, and prints what it made.

Arguments: URL of the service, address, password. Each line of standard input is a step's name; the answer is one line of
JSON. The next step is only made when it is asked for, so that the reader can see what becomes of each.
"""

import datetime
import json
import sys
import warnings

from exchangelib import BASIC, DELEGATE, Account, CalendarItem, Configuration, Credentials, EWSDateTime, EWSTimeZone
from exchangelib.items import SEND_TO_NONE
from exchangelib.recurrence import Recurrence, WeeklyPattern
from exchangelib.version import EXCHANGE_2016, Version

warnings.simplefilter("ignore")

BERLIN = EWSTimeZone("Europe/Berlin")
DAY = datetime.date.today() + datetime.timedelta(days=3)


def at(days, hour, minute=0):
    day = DAY + datetime.timedelta(days=days)
    return EWSDateTime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN)


def shown(item, **more):
    fresh = item.account.calendar.get(id=item.id)
    return {
        "id": fresh.id,
        "changeKey": fresh.changekey,
        "uid": fresh.uid,
        "subject": fresh.subject,
        "start": fresh.start.astimezone(EWSTimeZone("UTC")).isoformat(),
        "end": fresh.end.astimezone(EWSTimeZone("UTC")).isoformat(),
        **more,
    }


def main():
    url, address, password = sys.argv[1:4]
    config = Configuration(
        service_endpoint=url, credentials=Credentials(address, password), auth_type=BASIC, version=Version(EXCHANGE_2016)
    )
    account = Account(address, config=config, autodiscover=False, access_type=DELEGATE)
    item = series = None
    for step in map(str.strip, sys.stdin):
        if step == "create":
            item = CalendarItem(
                account=account, folder=account.calendar, subject="Quarterly figures", location="Room 7", start=at(0, 9), end=at(0, 10)
            )
            item.save(send_meeting_invitations=SEND_TO_NONE)
            answer = shown(item)
        elif step == "move":
            item.start, item.end = at(1, 14), at(1, 15, 30)
            item.save(update_fields=["start", "end"], send_meeting_invitations=SEND_TO_NONE)
            answer = shown(item)
        elif step == "delete":
            answer = {"id": item.id}
            item.move_to_trash(send_meeting_cancellations=SEND_TO_NONE)
        elif step == "series":
            series = CalendarItem(
                account=account, folder=account.calendar, subject="Jour fixe", start=at(0, 11), end=at(0, 12),
                recurrence=Recurrence(
                    pattern=WeeklyPattern(interval=1, weekdays=[DAY.strftime("%A")]), start=DAY, number=5
                ),
            )
            series.save(send_meeting_invitations=SEND_TO_NONE)
            answer = shown(series)
        elif step == "cancel-third":
            series = account.calendar.get(id=series.id)
            third = series.occurrence(index=3)
            third.delete(send_meeting_cancellations=SEND_TO_NONE)
            answer = shown(series)
        elif step == "move-second":
            series = account.calendar.get(id=series.id)  # its change key is another one since the third went
            second = series.occurrence(index=2)
            second.refresh()
            second.start, second.end = at(8, 16), at(8, 17)
            second.save(update_fields=["start", "end"], send_meeting_invitations=SEND_TO_NONE)
            answer = shown(series)
        else:
            raise SystemExit(f"unknown step {step!r}")
        print(json.dumps(answer), flush=True)


main()
