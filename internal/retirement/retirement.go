// Package retirement knows when Microsoft switches Exchange Web Services off in Exchange Online, and what to tell those
// whose mailboxes are there. It computes from the date that it is given, and does no I/O.
//
// Sources: https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-ews-exchange-online
// and https://techcommunity.microsoft.com/blog/exchange/exchange-online-ews-your-time-is-almost-up/4492361. Exchange
// Server on premises keeps EWS.
package retirement

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Start is when Microsoft begins to switch EWS off in Exchange Online, tenant by tenant: an organization whose
// EwsEnabled is not set gets False, and where it is True only the apps in EwsAllowedAppIDs may call.
var Start = time.Date(2026, time.October, 1, 0, 0, 0, 0, time.UTC)

// End is when EWS is off in Exchange Online for everybody and for good.
var End = time.Date(2027, time.April, 1, 0, 0, 0, 0, time.UTC)

// AllowList is the command that shows what an administrator does about it.
const AllowList = "roomsync setup powershell allow-list"

// hosts serve EWS of Exchange Online: worldwide, and in the national clouds. Microsoft announced one pair of dates and
// no other for those.
var hosts = []string{
	"outlook.office365.com", "outlook.office.com",
	"outlook.office365.us", "outlook-dod.office365.us", "webmail.apps.mil", "partner.outlook.cn",
}

// worldwide are the hosts of Exchange Online outside of the national clouds: id 1 of Microsoft's list of endpoints.
// https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges
var worldwide = []string{"outlook.cloud.microsoft", "outlook.office.com", "outlook.office365.com"}

// HostsBeside are the hosts by which Microsoft serves the same mailboxes as by the given one: of the worldwide cloud, and
// none for other hosts.
func HostsBeside(host string) []string {
	if slices.Contains(worldwide, host) {
		return slices.Clone(worldwide)
	}
	return nil
}

// Online reports whether an EWS endpoint is one of Exchange Online.
func Online(ewsURL string) bool {
	u, err := url.Parse(ewsURL)
	return err == nil && slices.Contains(hosts, strings.ToLower(u.Hostname()))
}

// DaysLeft is the number of days until End, 0 from then on.
func DaysLeft(now time.Time) int { return max(0, days(now, End)) }

func days(from, to time.Time) int {
	return int(to.Sub(from.UTC().Truncate(24*time.Hour)).Hours() / 24)
}

// Notice is a warning for logs and for the check of a configuration, in one line: what happens when, and what to do.
func Notice(now time.Time) string {
	const act = "the organization's allow list must name this app (" + AllowList + "; a change takes up to 24 hours). " +
		"A Microsoft Graph implementation is to come; Exchange on premises is not affected"
	switch {
	case now.Before(Start):
		return fmt.Sprintf("Microsoft begins to switch EWS off in Exchange Online on %s (%s), tenant by tenant, and switches it off for good on %s: "+
			"until then "+act, day(Start), in(days(now, Start)), day(End))
	case now.Before(End):
		return fmt.Sprintf("Microsoft switches EWS off in Exchange Online, tenant by tenant since %s and for good on %s (%s): "+
			"until then "+act, day(Start), day(End), in(DaysLeft(now)))
	}
	return "Microsoft switched EWS off in Exchange Online on " + day(End) + " for good: mailboxes there cannot be reached by EWS any more, " +
		"and no setting brings it back. A Microsoft Graph implementation is to come; Exchange on premises is not affected"
}

// Hint is a short sentence for a mailbox of Exchange Online that is refused without a reason (HTTP 403, no code).
func Hint(now time.Time) string {
	switch {
	case now.Before(Start):
		return "EWS may be off for the organization or the mailbox, or its allow list leaves this app out: " + AllowList
	case now.Before(End):
		return "Microsoft has been switching EWS off, tenant by tenant, since " + day(Start) + "; EwsEnabled must be True and EwsAllowedAppIDs must name this app: " + AllowList
	}
	return "Microsoft switched EWS off in Exchange Online on " + day(End) + " for good"
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

func in(days int) string {
	if days == 1 {
		return "in 1 day"
	}
	return fmt.Sprintf("in %d days", days)
}
