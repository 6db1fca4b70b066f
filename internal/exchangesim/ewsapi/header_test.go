package ewsapi

import (
	"net/http"
	"strings"
	"testing"

	"roomsync/internal/exchangesim/hook"
)

// as lets in one principal, whoever asks.
type as hook.Principal

func (p as) Authenticate(*http.Request) (hook.Principal, *hook.Answer) { return hook.Principal(p), nil }

func impersonating(element, who string) string {
	return `<t:ExchangeImpersonation><t:ConnectingSID><t:` + element + `>` + who + `</t:` + element + `></t:ConnectingSID></t:ExchangeImpersonation>`
}

const getCalendar = `<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>`

func TestImpersonation(t *testing.T) {
	app := as{AppID: "app", MayImpersonate: true, MustImpersonate: true}
	user := as{Address: bob}
	for name, c := range map[string]struct {
		who    as
		header string
		code   string
		text   string
	}{
		"allowed":           {app, impersonating("PrimarySmtpAddress", ann), "NoError", ""},
		"by principal name": {app, impersonating("PrincipalName", strings.ToUpper(ann)), "NoError", ""},
		"by smtp address":   {app, impersonating("SmtpAddress", ann), "NoError", ""},
		"own mailbox":       {user, impersonating("PrimarySmtpAddress", bob), "NoError", ""},
		"denied": {user, impersonating("PrimarySmtpAddress", ann), "ErrorImpersonateUserDenied",
			"The account does not have permission to impersonate the requested user."},
		"no such mailbox": {app, impersonating("PrimarySmtpAddress", "nobody@contoso.example"), "ErrorNonExistentMailbox",
			"The SMTP address has no mailbox associated with it."},
		"sid":                      {app, impersonating("SID", "S-1-5-21"), "ErrorInvalidUserSid", ""},
		"principal name without @": {app, impersonating("PrincipalName", "ann"), "ErrorInvalidUserPrincipalName", ""},
		"app without header":       {app, "", "ErrorInvalidExchangeImpersonationHeaderData", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, Options{Auth: c.who})
			s.soap = c.header
			a := s.call(getCalendar).want(c.code)
			wantStatus := 500
			if c.code == "NoError" {
				wantStatus = 200
			}
			if a.status != wantStatus || (a.root.kid("Header") != nil) != (wantStatus == 200) {
				t.Errorf("status %d, SOAP header %v", a.status, a.root.kid("Header") != nil)
			}
			if c.text != "" && (a.text("Message") != c.text || a.text("faultstring") != c.text) {
				t.Errorf("text %q", a.text("Message"))
			}
		})
	}
}

func TestAnchorMailboxIsMissed(t *testing.T) {
	s := newServer(t, Options{Auth: as{AppID: "app", MayImpersonate: true}})
	s.soap = impersonating("PrimarySmtpAddress", ann)
	s.call(getCalendar).ok()
	s.header = map[string]string{"X-AnchorMailbox": ann}
	s.call(getCalendar).ok()
	if n := s.h.(*Handler).Unanchored(); n != 1 {
		t.Errorf("%d calls without anchor, want 1", n)
	}
}

func TestServerVersion(t *testing.T) {
	s := newServer(t, Options{})
	if v := s.call(getCalendar).all("ServerVersionInfo")[0]; v.attr("MajorVersion") != "15" || v.attr("MajorBuildNumber") != "1748" || v.ns != nsTypes {
		t.Errorf("version is %+v", v)
	}
	online := newServer(t, Options{Online: true})
	if v := online.call(getCalendar).all("ServerVersionInfo")[0]; v.attr("MinorVersion") != "20" {
		t.Errorf("online version is %+v", v)
	}
	a := s.post(strings.Replace(document(getCalendar), "Exchange2016", "Exchange2099", 1)).want("ErrorInvalidServerVersion")
	if a.status != 500 || a.text("Message") != "The specified server version is invalid." {
		t.Errorf("status %d: %s", a.status, a.text("Message"))
	}
}

func TestHTTP(t *testing.T) {
	s := newServer(t, Options{})
	a := s.call(getCalendar).ok()
	for name, want := range map[string]string{"Content-Type": "text/xml; charset=utf-8", "x-EwsHandler": "GetFolder"} {
		if got := a.header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	requestID, frontEnd := "request-id", "X-FEServer" // in the case that Exchange sends them in
	if id := a.header[requestID]; len(id) != 1 || len(id[0]) != 36 || a.header[frontEnd] == nil {
		t.Errorf("request-id %q, X-FEServer %q", id, a.header[frontEnd])
	}
	if c := a.header.Get("Set-Cookie"); !strings.HasPrefix(c, "exchangecookie=") {
		t.Errorf("cookie %q", c)
	}
	s.header = map[string]string{"client-request-id": "abc", "return-client-request-id": "true", "Cookie": "exchangecookie=1"}
	a = s.call(getCalendar).ok()
	if a.header[requestID][0] != "abc" || a.header.Get("Set-Cookie") != "" {
		t.Errorf("request-id %q, cookie %q", a.header[requestID], a.header.Get("Set-Cookie"))
	}
}

// TestUnknownOperations are refused as a whole; notifications belong to them for now.
func TestUnknownOperations(t *testing.T) {
	s := newServer(t, Options{})
	s.call(`<m:PlayOnPhone/>`).want("ErrorInvalidRequest")
	a := s.call(`<m:Unsubscribe><m:SubscriptionId>x</m:SubscriptionId></m:Unsubscribe>`).want("ErrorInvalidOperation")
	if a.status != 500 {
		t.Errorf("status %d", a.status)
	}
}

func TestCallerWithoutMailbox(t *testing.T) {
	s := newServer(t, Options{Auth: as{Address: "svc@contoso.example", MayImpersonate: true}})
	s.call(getCalendar).want("ErrorMissingEmailAddress")
}
