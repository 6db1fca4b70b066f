package config

import (
	"fmt"
	"strings"
)

// otherNames are what else the columns of a list of mailboxes are called: in ROOMS, in exports of Exchange, in German, and
// without the underscore.
var otherNames = map[string][]string{
	colAddress: {"email", "emailaddress", "e-mail", "mail", "mailbox", "smtp", "smtpaddress", "primarysmtpaddress", "windowsemailaddress", "userprincipalname", "upn", "adresse", "mailadresse", "postfach"},
	colMode:    {"syncmode", "syncmodus", "modus", "exchangemode", "exchangesyncmode", "exchangesyncmodus", "sync", "type", "typ"},
	colURL:     {"ewsurl", "exchangeurl", "serverurl", "server", "endpoint", "ewsendpoint"},
	colFolder:  {"folderid", "calendar", "calendarid", "calendarfolder", "ordner", "kalender"},
	colEnabled: {"active", "aktiv", "on", "isenabled", "isactive", "aktiviert"},
	colPast:    {"pastdays", "dayspast", "daysback", "past"},
	colFuture:  {"futuredays", "daysfuture", "daysahead", "future"},
	colFields:  {"field", "properties", "felder"},
}

// unknownColumn says which columns there are, and which one was probably meant.
func unknownColumn(name string) error {
	for _, c := range columns {
		for _, other := range otherNames[c] {
			if simplified(name) == simplified(other) {
				return fmt.Errorf("there is %s; name it %q", listed(columns), c)
			}
		}
	}
	return unknown("there is", name, columns)
}

// simplified is a column's name without what tells its words apart.
func simplified(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(name))
}
