"""An application signs in with client credentials and works in somebody's calendar by impersonation.

Arguments: base URL of the simulator, address to impersonate.
"""

import json
import os
import sys
import warnings

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP on loopback

from exchangelib import (
    IMPERSONATION,
    OAUTH2,
    Account,
    CalendarItem,
    Configuration,
    EWSDateTime,
    EWSTimeZone,
    Identity,
    OAuth2Credentials,
)
from exchangelib.errors import ErrorNonExistentMailbox
from exchangelib.items import SEND_TO_NONE
from exchangelib.version import EXCHANGE_2016, Version
from oauthlib.oauth2 import InvalidClientError

warnings.simplefilter("ignore")


def credentials(base):
    class SimulatorCredentials(OAuth2Credentials):
        """The library's own, but for the address of the authority."""

        @property
        def token_url(self):
            return f"{base}/{self.tenant_id}/oauth2/v2.0/token"

    return SimulatorCredentials


def account(base, address, secret="sim-secret"):
    owner = credentials(base)(
        client_id="sim-app", client_secret=secret, tenant_id="sim-tenant", identity=Identity(primary_smtp_address=address)
    )
    config = Configuration(
        service_endpoint=f"{base}/EWS/Exchange.asmx", credentials=owner, auth_type=OAUTH2, version=Version(EXCHANGE_2016)
    )
    return Account(address, config=config, autodiscover=False, access_type=IMPERSONATION)


def main():
    base, address = sys.argv[1:3]
    utc = EWSTimeZone("UTC")
    calendar = account(base, address).calendar
    item = CalendarItem(
        folder=calendar,
        subject="By an application",
        start=EWSDateTime(2026, 3, 3, 10, tzinfo=utc),
        end=EWSDateTime(2026, 3, 3, 11, tzinfo=utc),
    )
    item.save(send_meeting_invitations=SEND_TO_NONE)
    assert calendar.get(id=item.id).organizer.email_address == address

    try:
        account(base, "nobody@contoso.example").calendar.refresh()
        raise AssertionError("a mailbox that does not exist was found")
    except ErrorNonExistentMailbox as e:
        assert "The SMTP address has no mailbox associated with it." in str(e), e
    try:
        account(base, address, secret="wrong").calendar.refresh()
        raise AssertionError("a wrong secret was accepted")
    except InvalidClientError:
        pass
    print(json.dumps({"item": item.id}))


if __name__ == "__main__":
    main()
