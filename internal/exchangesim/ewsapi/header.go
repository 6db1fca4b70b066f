package ewsapi

import (
	"strings"

	"roomsync/internal/exchangesim/store"
)

// readHeader obeys the SOAP header: version, impersonation, time zone.
func (r *request) readHeader() error {
	header := r.envelope.kid("Header")
	if v := header.kid("RequestServerVersion"); v != nil {
		if bad := simpleTypes["version"].check(v.attr("Version")); bad != "" {
			return refuse("ErrorInvalidServerVersion")
		}
	}
	if z := header.kid("TimeZoneContext").kid("TimeZoneDefinition"); z != nil {
		loc, ok := store.Location(z.attr("Id"))
		if !ok {
			return refuse("ErrorTimeZone") // a zone that is spelled out instead of named is not simulated
		}
		r.zone, r.zoneID = loc, z.attr("Id")
	}
	return r.impersonate(header.kid("ExchangeImpersonation").kid("ConnectingSID"))
}

// impersonate finds out as whom the request acts.
func (r *request) impersonate(sid *element) error {
	p := r.principal
	if sid == nil {
		if p.MustImpersonate {
			return refuse("ErrorInvalidExchangeImpersonationHeaderData")
		}
		if p.Address != "" {
			r.mailbox = r.h.company.Mailbox(p.Address)
		}
		return nil
	}
	who := sid.kids[0]
	address := strings.TrimSpace(who.text)
	switch who.name {
	case "SID":
		return refuse("ErrorInvalidUserSid") // security identifiers are not simulated
	case "PrincipalName":
		if !strings.Contains(address, "@") {
			return refuse("ErrorInvalidUserPrincipalName")
		}
	}
	m := r.h.company.Mailbox(address)
	if m == nil {
		return refuse("ErrorNonExistentMailbox")
	}
	if !p.MayImpersonate && !strings.EqualFold(p.Address, m.Address) {
		return refuse("ErrorImpersonateUserDenied")
	}
	if r.http.Header.Get("X-AnchorMailbox") == "" {
		r.h.unanchored.Add(1)
	}
	r.mailbox, r.impersonated = m, true
	return nil
}

// accessTo says what the caller may do in a mailbox.
func (r *request) accessTo(m *store.Mailbox) store.Access {
	if m == r.mailbox {
		return store.Editor
	}
	if r.mailbox == nil {
		return m.AccessOf(r.principal.Address)
	}
	return m.AccessOf(r.mailbox.Address)
}
