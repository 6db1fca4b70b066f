"""Somebody signs in by NTLM and works in his own calendar; a service user signs in with a password of Entra's and works
in somebody else's as a delegate, as far as he may.

Arguments: base URL of the simulator, owner's address, service user's address (who has a mailbox), address of a mailbox
that he may not open.
"""

import json
import os
import sys
import warnings

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP on loopback

from exchangelib import (
    DELEGATE,
    NTLM,
    OAUTH2,
    Account,
    CalendarItem,
    Configuration,
    Credentials,
    EWSDateTime,
    EWSTimeZone,
    OAuth2LegacyCredentials,
)
from exchangelib.errors import ErrorFolderNotFound, UnauthorizedError
from exchangelib.folders import Calendar, SingleFolderQuerySet
from exchangelib.items import SEND_TO_NONE
from exchangelib.properties import DistinguishedFolderId, Mailbox
from exchangelib.version import EXCHANGE_2016, Version

warnings.simplefilter("ignore")

UTC = EWSTimeZone("UTC")


def account(base, address, auth_type, credentials):
    config = Configuration(
        service_endpoint=f"{base}/EWS/Exchange.asmx",
        credentials=credentials,
        auth_type=auth_type,
        version=Version(EXCHANGE_2016),
    )
    return Account(address, config=config, autodiscover=False, access_type=DELEGATE)


def lunch(calendar, subject):
    item = CalendarItem(
        folder=calendar,
        subject=subject,
        start=EWSDateTime(2026, 3, 3, 12, tzinfo=UTC),
        end=EWSDateTime(2026, 3, 3, 13, tzinfo=UTC),
    )
    return item.save(send_meeting_invitations=SEND_TO_NONE)


def by_ntlm(base, owner):
    user = "CONTOSO\\" + owner.split("@")[0]
    calendar = account(base, owner, NTLM, Credentials(user, "simulated")).calendar
    item = lunch(calendar, "By NTLM")
    assert calendar.get(id=item.id).subject == "By NTLM"
    try:
        account(base, owner, NTLM, Credentials(user, "wrong")).calendar.refresh()
        raise AssertionError("a wrong password was accepted")
    except UnauthorizedError:
        pass
    return item.id


def as_delegate(base, owner, service, stranger):
    class SimulatorCredentials(OAuth2LegacyCredentials):
        """The library's own, but for the address of the authority."""

        @property
        def token_url(self):
            return f"{base}/{self.tenant_id}/oauth2/v2.0/token"

    credentials = SimulatorCredentials(
        client_id="sim-app", client_secret="sim-secret", tenant_id="sim-tenant", username=service, password="simulated"
    )
    me = account(base, service, OAUTH2, credentials)

    def calendar(address):
        # The documented way to a folder of somebody whose root one may not see.
        name = DistinguishedFolderId(id=Calendar.DISTINGUISHED_FOLDER_ID, mailbox=Mailbox(email_address=address))
        return SingleFolderQuerySet(account=me, folder=name).resolve()

    theirs = calendar(owner)
    theirs.is_distinguished = False  # by its id from here on: by its name the library means one's own
    item = lunch(theirs, "By a delegate")
    gone = lunch(theirs, "Not for long")
    assert {i.subject for i in theirs.all()} >= {"By a delegate", "Not for long"}
    gone.move_to_trash(send_meeting_cancellations=SEND_TO_NONE)
    hidden = calendar(stranger)  # the error is returned, not raised
    assert isinstance(hidden, ErrorFolderNotFound), hidden
    assert "The specified folder could not be found in the store." in str(hidden), hidden
    return item.id


def main():
    base, owner, service, stranger = sys.argv[1:5]
    ntlm = by_ntlm(base, owner)
    delegate = as_delegate(base, owner, service, stranger)
    print(json.dumps({"ntlm": ntlm, "delegate": delegate}))


if __name__ == "__main__":
    main()
