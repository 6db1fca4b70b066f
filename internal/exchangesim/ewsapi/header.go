package ewsapi

import (
	"strings"

	"roomsync/internal/exchangesim/hook"
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
	return r.impersonate()
}

// impersonate lets the request act as the mailbox that it names, if the caller may.
func (r *request) impersonate() error {
	who := r.impersonating
	if who == nil {
		if r.principal.MustImpersonate {
			return refuse("ErrorInvalidExchangeImpersonationHeaderData")
		}
		return nil
	}
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
	if code := r.mayNotImpersonate(m); code != "" {
		return refuse(code)
	}
	if r.http.Header.Get("X-AnchorMailbox") == "" {
		r.h.unanchored.Add(1)
	}
	r.mailbox = m
	return nil
}

// mayNotImpersonate is the code of the refusal, "" when the caller may act as the mailbox.
func (r *request) mayNotImpersonate(m *store.Mailbox) string {
	switch p := r.principal; {
	case strings.EqualFold(p.Address, m.Address):
		return ""
	case !p.MayImpersonate:
		r.refused(hook.ImpersonateUser)
		return "ErrorImpersonateUserDenied"
	case r.h.opts.Gate != nil:
		return r.h.opts.Gate.Impersonate(&r.call, m.Address)
	}
	return ""
}

// accessTo says what the caller may do in a folder, or in the folder of an item.
func (r *request) accessTo(m *store.Mailbox, id string) store.Access {
	if m == r.mailbox {
		return store.Owner
	}
	if r.mailbox == nil {
		return m.AccessOf(r.principal.Address, id)
	}
	return m.AccessOf(r.mailbox.Address, id)
}

// mayNot refuses a caller with too few rights as Exchange refuses a delegate: what he may not read is not there for him
// (https://learn.microsoft.com/exchange/client-developer/exchange-web-services/handling-delegation-related-errors-in-ews-in-exchange).
func (r *request) mayNot(m *store.Mailbox, id string, need store.Access, hidden error) error {
	switch access := r.accessTo(m, id); {
	case access < store.Reviewer:
		r.refused(hook.FolderHidden)
		return hidden
	case access < need:
		r.refused(hook.FolderReadOnly)
		return &store.Error{Code: "ErrorAccessDenied"}
	}
	return nil
}
